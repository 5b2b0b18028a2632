/** The library's version, as brokers see it in their metrics (KIP-511). A test holds it to package.json. */
export const version = "0.1.0";
