import { register } from "tsx/esm/api";

register();
const { startEmbeddedKafka } = await import("typed-kafka/testing");
await startEmbeddedKafka().catch((error) => console.log(`${error.code}: ${error.message}`));
