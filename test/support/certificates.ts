import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { requireCommands } from "./system-packages.js";

export interface Certificates {
  /** The authority's certificate, for clients to trust. PEM. */
  readonly ca: string;
  /** The broker's key, certificate and chain in one PEM file, as Kafka reads it. */
  readonly keystoreFile: string;
  /** The authority's certificate in a file, as Kafka reads whom to trust. */
  readonly caFile: string;
  /** A client's certificate, PEM, and its key, which is encrypted with `passphrase`. */
  readonly client: { readonly cert: string; readonly key: string; readonly passphrase: string };
}

/** Makes an authority and certificates of its for a broker on loopback and a client, with openssl, in a folder that exists. */
export async function makeCertificates(folder: string): Promise<Certificates> {
  await requireCommands("openssl");
  const file = (name: string) => join(folder, name);
  const openssl = (...args: string[]) => promisify(execFile)("openssl", args);
  const days = ["-days", "2"];

  const newKey = ["-newkey", "rsa:2048", "-nodes"];
  const authority = [
    "-subj",
    "/CN=typed-kafka test authority",
    "-keyout",
    file("ca.key"),
    "-out",
    file("ca.crt"),
  ];
  await openssl("req", "-x509", ...newKey, ...days, ...authority);

  // `req` writes the key as PKCS#8, the only form Kafka takes.
  const broker = ["-subj", "/CN=localhost", "-keyout", file("broker.key"), "-out", file("broker.csr")];
  await openssl("req", ...newKey, ...broker);
  writeFileSync(file("names"), "subjectAltName=DNS:localhost,IP:127.0.0.1");
  const signer = [
    "-CA",
    file("ca.crt"),
    "-CAkey",
    file("ca.key"),
    "-CAcreateserial",
    "-extfile",
    file("names"),
  ];
  await openssl("x509", "-req", "-in", file("broker.csr"), ...signer, ...days, "-out", file("broker.crt"));

  const ca = readFileSync(file("ca.crt"), "utf8");
  const parts = [readFileSync(file("broker.key"), "utf8"), readFileSync(file("broker.crt"), "utf8"), ca];
  writeFileSync(file("keystore.pem"), parts.join(""));

  const passphrase = "the key's password";
  const clientKey = ["-newkey", "rsa:2048", "-passout", `pass:${passphrase}`];
  const client = ["-subj", "/CN=client", "-keyout", file("client.key"), "-out", file("client.csr")];
  await openssl("req", ...clientKey, ...client);
  await openssl("x509", "-req", "-in", file("client.csr"), ...signer, ...days, "-out", file("client.crt"));
  return {
    ca,
    keystoreFile: file("keystore.pem"),
    caFile: file("ca.crt"),
    client: {
      cert: readFileSync(file("client.crt"), "utf8"),
      key: readFileSync(file("client.key"), "utf8"),
      passphrase,
    },
  };
}
