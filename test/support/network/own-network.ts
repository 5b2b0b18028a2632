/** @throws Error where this process is in the network of the machine, which tests must not touch. */
export function requireOwnNetwork(): void {
  if (process.env["TYPED_KAFKA_OWN_NETWORK"] === undefined)
    throw new Error("these tests need a network of their own: run them by `npm run test:network`");
}
