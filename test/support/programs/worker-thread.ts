/** Makes a client on a worker thread, where the native client cannot be loaded, and prints the error. */
import { Worker } from "node:worker_threads";

const worker = new Worker(new URL("./worker-body.mjs", import.meta.url));
worker.once("error", (error) => {
  console.log(error);
});
