import type { Logger } from "typed-kafka";

/** Swallows the log of clients that are meant to have trouble, of which librdkafka tells at length. */
export const silent: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
