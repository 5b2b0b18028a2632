import type * as bufbuild from "@bufbuild/protobuf";
import type { DescFile, DescMessage, MessageShape } from "@bufbuild/protobuf";
import type * as wellKnown from "@bufbuild/protobuf/wkt";
import { ConfigError } from "../errors.js";
import { describeValue, SerdeFailure } from "../serde/failure.js";
import type { Serde } from "../serde/serde.js";
import { waiting } from "../serde/waiting-serde.js";
import { loadPeer } from "./peer.js";
import { indexesOf, messageAt, parseProto, type ProtoFile, type ProtoMessage } from "./proto-messages.js";
import { type Reader, reading } from "./reading.js";
import type { RegistrySchema, SchemaReference, SchemaRegistry } from "./registry.js";
import { checkOptions } from "../options/check-options.js";
import { type RegistrySerdeOptions, serdeSpecs, settleSerdeOptions } from "./serde-options.js";
import { encodeIndexes, headerSize, readIndexes, writeHeader } from "./wire-format.js";
import { writing, type Writer } from "./writing.js";

/**
 * Protobuf in the wire format of Confluent's `KafkaProtobufSerializer`. The message's file is registered with the
 * files that it imports, each of those under its path as the subject. What was written with another version of
 * the file is read by protobuf's own rules: unknown fields are kept, missing ones have their default.
 *
 * Needs the package `@bufbuild/protobuf`, 2.2 or newer, whose generator `protoc-gen-es` makes the schemas.
 *
 * @param schema - the generated schema of the message, which may be one inside another
 * @throws `ConfigError` where it is none, or `@bufbuild/protobuf` is not installed
 *
 * @example
 * ```ts
 * import { StudentSchema } from "./gen/student_pb.js";
 *
 * const students = defineTopic("students", { value: protobuf(registry, StudentSchema) });
 * await producer.send(students, { value: create(StudentSchema, { id: 1n, name: "Samwel" }) });
 * ```
 */
export function protobuf<Schema extends DescMessage>(
  registry: SchemaRegistry,
  schema: Schema,
  options: RegistrySerdeOptions = {},
): Serde<MessageShape<Schema>> {
  const { toBinary, fromBinary, clone } = loadBufbuild();
  if ((schema as Partial<DescMessage> | undefined)?.kind !== "message")
    throw new ConfigError(
      "schema",
      `expected the generated schema of a message, got ${describeValue(schema)}`,
    );
  const { typeName } = schema;
  const resolved = settleSerdeOptions(checkOptions("options", options, serdeSpecs), typeName);

  const writerWith = (id: number, indexes: readonly number[]): Writer => {
    const path = encodeIndexes(indexes);
    const bodyAt = headerSize + path.length;
    return (message) => {
      const body = toBinary(schema, message as MessageShape<Schema>);
      const bytes = Buffer.allocUnsafe(bodyAt + body.length);
      writeHeader(bytes, id);
      bytes.set(path, headerSize);
      bytes.set(body, bodyAt);
      return bytes;
    };
  };
  const format = {
    schema: () => registeredFile(registry, schema.file, resolved),
    writer: (id: number, latest?: RegistrySchema): Writer => {
      if (latest === undefined) return writerWith(id, ownIndexes(schema));
      const indexes = indexesOf(fileIn(latest), typeName);
      if (indexes === undefined)
        throw new SerdeFailure(`the subject's latest schema (id ${id}) has no message ${typeName}`);
      return writerWith(id, indexes);
    },
    copy: (message: unknown) => clone(schema, message as MessageShape<Schema>),
  };
  const readerFor = (written: RegistrySchema, id: number): Reader => {
    const file = fileIn(written);
    const counted = fileIn(written, true);
    /** The paths seen to lead to this message, as they are written. No path is the beginning of another. */
    const fitting: Buffer[] = [];
    return (bytes) => {
      let path = fitting.find((each) => startsWith(bytes, each));
      if (path === undefined) {
        const { indexes, bodyAt } = readIndexes(bytes);
        const name = messageAt(file, indexes);
        if (name !== typeName && messageAt(counted, indexes) !== typeName)
          throw new SerdeFailure(
            `it holds a ${name ?? "message that is not in its schema"} (schema id ${id}), not a ${typeName}`,
          );
        path = Buffer.from(bytes.subarray(headerSize, bodyAt));
        fitting.push(path);
      }
      const bodyAt = headerSize + path.length;
      // A copy: what bytes fields hold would be the record's own memory.
      return fromBinary(schema, new Uint8Array(bytes.subarray(bodyAt)));
    };
  };

  const write = writing(registry, format, resolved);
  return Object.freeze({
    ...waiting,
    serialize: (message: MessageShape<Schema>, context) => {
      checkType(schema, message);
      return write(message, context);
    },
    deserialize: reading(registry, readerFor) as Serde<MessageShape<Schema>>["deserialize"],
  } satisfies Serde<MessageShape<Schema>>);
}

/** Whether this path is what comes behind the header. */
function startsWith(bytes: Buffer, path: Buffer): boolean {
  for (let index = 0; index < path.length; index += 1)
    if (bytes[headerSize + index] !== path[index]) return false;
  return true;
}

/** Refuses what is not a message of this type: the library would write whatever fields it finds. */
function checkType({ typeName, name }: DescMessage, message: unknown): void {
  const given = (message as { readonly $typeName?: unknown } | null | undefined)?.$typeName;
  if (given === typeName) return;
  const got = typeof given === "string" ? `a ${given}` : describeValue(message);
  throw new SerdeFailure(`expected a ${typeName}, as create(${name}Schema, { ... }) makes it, got ${got}`);
}

/** Files that every registry and every generator has. */
const known = /^(google\/protobuf|google\/type|confluent)\//;

/** A file as it is registered, once those that it imports are. */
async function registeredFile(
  registry: SchemaRegistry,
  file: DescFile,
  options: Pick<ReturnType<typeof settleSerdeOptions>, "registration" | "normalize">,
): Promise<RegistrySchema> {
  const references: SchemaReference[] = [];
  for (const imported of file.dependencies) {
    const { name } = imported.proto;
    if (known.test(name)) continue;
    const schema = await registeredFile(registry, imported, options);
    const question = { subject: name, schema, normalize: options.normalize };
    if (options.registration === "register") await registry.idOf("register", question);
    references.push({ name, subject: name, version: await registry.versionOf(question) });
  }
  const bytes = Buffer.from(loadBufbuild().toBinary(fileDescriptor(), file.proto));
  return { schema: bytes.toString("base64"), schemaType: "PROTOBUF", references };
}

/** The path of indexes to a message in its own file. */
function ownIndexes(schema: DescMessage): readonly number[] {
  const { parent } = schema;
  if (parent === undefined) return [schema.file.messages.indexOf(schema)];
  return [...ownIndexes(parent), parent.nestedMessages.indexOf(schema)];
}

/**
 * The messages of a schema, which is the text of a .proto file, or its descriptor in base64.
 *
 * @param countsEntries - whether the entries of map fields have an index, as Python counts, which registers descriptors
 */
function fileIn({ schema, schemaType }: RegistrySchema, countsEntries = false): ProtoFile {
  if (schemaType !== "PROTOBUF")
    throw new SerdeFailure(`its schema is one of ${schemaType}, not of protobuf`);
  if (!/^[A-Za-z0-9+/]+=*$/.test(schema)) return parseProto(schema);
  const file = loadBufbuild().fromBinary(fileDescriptor(), Buffer.from(schema, "base64"));
  return { package: file.package, messages: file.messageType.map((each) => messageOf(each, countsEntries)) };
}

function messageOf({ name, nestedType }: wellKnown.DescriptorProto, countsEntries: boolean): ProtoMessage {
  // The entries of a map field are messages only in the descriptor; of all serializers only Python's counts them.
  const nested = nestedType.filter(({ options }) => countsEntries || options?.mapEntry !== true);
  return { name, nested: nested.map((each) => messageOf(each, countsEntries)) };
}

function loadBufbuild(): typeof bufbuild {
  return loadPeer("protobuf", "@bufbuild/protobuf") as typeof bufbuild;
}

function fileDescriptor(): typeof wellKnown.FileDescriptorProtoSchema {
  const { FileDescriptorProtoSchema } = loadPeer(
    "protobuf",
    "@bufbuild/protobuf",
    "/wkt",
  ) as typeof wellKnown;
  return FileDescriptorProtoSchema;
}
