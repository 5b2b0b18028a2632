import type * as bufbuild from "@bufbuild/protobuf";
import type * as wellKnown from "@bufbuild/protobuf/wkt";
import { ConfigError } from "../errors.js";
import { SerdeFailure } from "../serde/failure.js";
import { readerOf as avroReaderOf } from "./avro.js";
import { recordsIn } from "./avro-counts.js";
import { AvroTypes, ofWriter } from "./avro-types.js";
import { loadPeer } from "./peer.js";
import type { RegistrySchema, SchemaRegistry } from "./registry.js";
import { headerSize, readId, readIndexes } from "./wire-format.js";

type Read = (bytes: Buffer) => unknown;

/** How many records a value may be made of, beside those that bytes are written for. */
const maxRecords = 100_000;

/**
 * Reads whatever was written in Confluent's wire format, as the schema it was written with has it: for who looks at
 * a topic and has no schema of their own.
 *
 * @throws `SerdeFailure` for bytes that are not what their id says, `ConfigError` where a package is not installed
 */
export function readAny(registry: SchemaRegistry): (bytes: Buffer) => Promise<unknown> {
  const readers = new Map<number, Promise<Read>>();
  return async (bytes) => {
    const id = readId(bytes);
    let reader = readers.get(id);
    if (reader === undefined) {
      reader = readerOf(registry, id);
      readers.set(id, reader);
      // An outage is asked about again.
      reader.catch(() => readers.delete(id));
    }
    return (await reader)(bytes);
  };
}

async function readerOf(registry: SchemaRegistry, id: number): Promise<Read> {
  const schema = await registry.schemaOf(id);
  if (schema.schemaType === "JSON")
    return (bytes) => JSON.parse(bytes.subarray(headerSize).toString()) as unknown;
  return schema.schemaType === "AVRO"
    ? avroReader(schema, await registry.referencesOf(schema), id)
    : protobufReader(registry, id);
}

function avroReader(schema: RegistrySchema, referenced: readonly RegistrySchema[], id: number): Read {
  const type = new AvroTypes("bigint").typeOf(
    ofWriter(schema.schema),
    referenced.map((each) => ofWriter(each.schema)),
  );
  if (recordsIn(type) > maxRecords)
    throw new SerdeFailure(`schema id ${id} makes more than ${maxRecords} records of no bytes at all`);
  return avroReaderOf(type, `what was written with schema id ${id}`);
}

async function protobufReader(registry: SchemaRegistry, id: number): Promise<Read> {
  const { createFileRegistry, fromBinary, toJson } = loadPeer(
    "protobuf",
    "@bufbuild/protobuf",
  ) as typeof bufbuild;
  const { FileDescriptorProtoSchema, ...known } = loadPeer(
    "protobuf",
    "@bufbuild/protobuf",
    "/wkt",
  ) as typeof wellKnown;
  const [own, ...imported] = (await registry.descriptorsOf(id)).map((base64) =>
    fromBinary(FileDescriptorProtoSchema, Buffer.from(base64, "base64")),
  );
  if (own === undefined) throw new ConfigError("url", `the registry has no descriptor of schema id ${id}`);
  const all = [own, ...imported];
  const wellKnownFiles = new Map(
    Object.values(known).flatMap((file) =>
      typeof file === "object" && "kind" in file && file.kind === "file" ? [[file.proto.name, file]] : [],
    ),
  );
  const files = createFileRegistry(
    { ...own, name: own.name === "" ? "schema.proto" : own.name },
    (name) => all.find((file) => file.name === name) ?? wellKnownFiles.get(name),
  );
  const [file] = [...files.files].filter(({ proto }) => proto.messageType === own.messageType);
  return (bytes) => {
    const { indexes, bodyAt } = readIndexes(bytes);
    const [first, ...nested] = indexes;
    let message = file?.messages[first ?? 0];
    for (const index of nested) message = message?.nestedMessages[index];
    if (message === undefined)
      throw new SerdeFailure(`schema id ${id} has no message at ${indexes.join(".")}`);
    return toJson(message, fromBinary(message, new Uint8Array(bytes.subarray(bodyAt))), { registry: files });
  };
}
