// `npm run kafka`: one node for people to try things on, until Ctrl-C.
import { NoBrokerError, startBroker } from "./broker.js";
import { isFree } from "./ports.js";

const port = Number(process.env["PORT"] ?? 9092);

const isForTests = process.env["KAFKA_FOR_TESTS"] !== undefined;

/** Tests have members that are lost sooner; what people's brokers refuse is to be refused here. */
const likeTheirs = { "group.min.session.timeout.ms": 6_000 };

if (await isFree(port)) {
  await runNode();
} else {
  console.error(`Port ${port} is taken. For another one: PORT=19092 npm run kafka`);
  process.exitCode = 1;
}

async function runNode(): Promise<void> {
  console.log("Starting Kafka …");
  try {
    const { brokers, runsOn } = await startBroker(port, isForTests ? {} : likeTheirs);
    console.log(`Kafka runs at ${brokers} (on ${runsOn}). Ctrl-C stops it and drops its data.`);
    // Whatever ends this process ends the node too; all that is left to do here is to wait.
    setInterval(() => {}, 60_000);
  } catch (error) {
    if (!(error instanceof NoBrokerError)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}
