import { readAny } from "../schema-registry/any.js";
import { schemaRegistry } from "../schema-registry/registry.js";
import type { SchemaRegistryAuth } from "../schema-registry/options.js";
import { hasId } from "../schema-registry/wire-format.js";
import { type Terminal, UsageError } from "./command.js";

/** What a part of a record holds. */
interface Decoded {
  readonly value: unknown;
  readonly json: string;
}

/** Decodes bytes by the schema id in front of them; `undefined` where there is none. */
export type Decode = (bytes: Buffer) => Promise<Decoded | undefined>;

/** A decoder by a schema registry. @throws `UsageError`, `ConfigError` */
export function decoderOf(url: string, environment: Terminal["environment"]): Decode {
  if (url.includes("@"))
    throw new UsageError(
      "--schema-registry: no credentials in the address: set SCHEMA_REGISTRY_USERNAME and SCHEMA_REGISTRY_PASSWORD",
    );
  const read = readAny(schemaRegistry({ url, auth: authOf(environment) }));
  return async (bytes) => {
    if (!hasId(bytes)) return undefined;
    const value = await read(bytes);
    return { value, json: JSON.stringify(value, plain) };
  };
}

function authOf(environment: Terminal["environment"]): SchemaRegistryAuth | undefined {
  const username = environment["SCHEMA_REGISTRY_USERNAME"];
  const password = environment["SCHEMA_REGISTRY_PASSWORD"];
  const token = environment["SCHEMA_REGISTRY_TOKEN"];
  if (token !== undefined && token !== "") return { token };
  return username === undefined || password === undefined ? undefined : { username, password };
}

/** What JSON does not have: long numbers are texts, bytes are base64. */
function plain(_: string, value: unknown): unknown {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  // A Buffer has become an object of its own before it gets here.
  const { type, data } = (value ?? {}) as { readonly type?: unknown; readonly data?: unknown };
  return type === "Buffer" && Array.isArray(data) ? Buffer.from(data as number[]).toString("base64") : value;
}
