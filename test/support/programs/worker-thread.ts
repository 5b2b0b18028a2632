/** Makes a client on a worker thread, where the native client cannot be loaded, and prints the error. */
import { Worker } from "node:worker_threads";

const worker = new Worker("./test/support/programs/worker-body.mjs", {
  execArgv: ["--conditions=typed-kafka-source"],
});
worker.once("error", (error) => {
  console.log(error);
});
