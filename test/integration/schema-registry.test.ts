import { create } from "@bufbuild/protobuf";
import {
  AvroDeserializer,
  AvroSerializer,
  Compatibility,
  JsonDeserializer,
  JsonSerializer,
  ProtobufDeserializer,
  ProtobufSerializer,
  SchemaRegistryClient,
  SerdeType,
} from "@confluentinc/schemaregistry";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import {
  AuthenticationError,
  bytes,
  ConfigError,
  ConnectionError,
  defineTopic,
  Kafka,
  type Logger,
  type Serde,
} from "typed-kafka";
import { avro, jsonSchema, protobuf, type SchemaRegistry, schemaRegistry } from "typed-kafka/schema-registry";
import { z } from "zod";
import { callCommand } from "../support/call-command.js";
import { committedOffsets, until } from "../support/consuming.js";
import { Student_AddressSchema, StudentSchema } from "../support/proto/student_pb.js";
import { type RegistryServer, startSchemaRegistry } from "../support/schema-registry.js";
import { TcpProxy } from "../support/tcp-proxy.js";
import { createTopic, uniqueName } from "../support/topics.js";

const brokers = inject("brokers");
/** What the library says of records that wait. */
const warnings: string[] = [];
const logger: Logger = {
  debug: () => {},
  info: () => {},
  warn: (message) => warnings.push(message),
  error: () => {},
};
const kafka = new Kafka({ brokers, logger });
const producer = kafka.producer();

let server: RegistryServer;
let proxy: TcpProxy;
let url: string;
let registry: SchemaRegistry;
/** The other client: it asks and serializes with code of Confluent's alone. */
let theirs: SchemaRegistryClient;

beforeAll(async () => {
  // The first time it has to be fetched.
  server = await startSchemaRegistry();
  proxy = await TcpProxy.start(server.port);
  url = `http://127.0.0.1:${proxy.port}${server.path}`;
  registry = schemaRegistry({ url });
  theirs = new SchemaRegistryClient({ baseURLs: [`http://127.0.0.1:${server.port}${server.path}`] });
}, 300_000);

afterAll(async () => {
  await kafka.close();
  proxy.close();
  await server.close();
});

const student = {
  type: "record",
  name: "Student",
  namespace: "school",
  fields: [
    { name: "id", type: "long" },
    { name: "name", type: "string" },
    { name: "course", type: ["null", "string"], default: null },
  ],
};
const studentType = z.object({ id: z.int(), name: z.string(), course: z.string().nullable() });
const ann = { id: 1, name: "Ann", course: "Data" };
const rawTopic = (name: string) => defineTopic(name, { value: bytes() });

/** Writes bytes past the serde, and gives what a reader of the topic gets for them. */
async function readBack<T>(name: string, serde: Serde<T>, written: readonly Buffer[]): Promise<T[]> {
  await producer.send(
    rawTopic(name),
    written.map((value) => ({ value })),
  );
  const values: T[] = [];
  for await (const { value } of kafka.read(defineTopic(name, { value: serde }))) values.push(value);
  return values;
}

/** Sends a value, and gives the bytes that are in the log then. */
async function sentBytes<T>(name: string, serde: Serde<T>, value: T): Promise<Buffer> {
  await producer.send(defineTopic(name, { value: serde }), { value } as never);
  for await (const record of kafka.read(rawTopic(name))) return record.value;
  throw new Error("nothing was sent");
}

describe("Confluent's own serializers read what is sent here, and are read here", () => {
  test("Avro", async () => {
    const name = await createTopic();
    const serde = avro(registry, student, studentType);
    const sent = await sentBytes(name, serde, ann);
    expect({ ...(await new AvroDeserializer(theirs, SerdeType.VALUE, {}).deserialize(name, sent)) }).toEqual(
      ann,
    );

    const serializer = new AvroSerializer(theirs, SerdeType.VALUE, { useLatestVersion: true });
    const written = await serializer.serialize(name, { ...ann, course: null });
    expect(await readBack(name, serde, [written])).toEqual([ann, { ...ann, course: null }]);
  });

  test("JSON Schema", async () => {
    const name = await createTopic();
    const serde = jsonSchema(registry, studentType);
    const sent = await sentBytes(name, serde, ann);
    const options = { validate: true };
    expect(await new JsonDeserializer(theirs, SerdeType.VALUE, options).deserialize(name, sent)).toEqual(ann);

    const serializer = new JsonSerializer(theirs, SerdeType.VALUE, { ...options, useLatestVersion: true });
    const written = await serializer.serialize(name, { ...ann, id: 2 });
    expect(await readBack(name, serde, [written])).toEqual([ann, { ...ann, id: 2 }]);
  });

  test("protobuf, with an import and a message inside another", async () => {
    const name = await createTopic();
    const serde = protobuf(registry, StudentSchema);
    const message = create(StudentSchema, { id: 1n, name: "Ann", course: { title: "Data" } });
    const sent = await sentBytes(name, serde, message);
    const deserializer = new ProtobufDeserializer(theirs, SerdeType.VALUE, {});
    expect(await deserializer.deserialize(name, sent)).toMatchObject({ id: 1n, course: { title: "Data" } });

    const serializer = new ProtobufSerializer(theirs, SerdeType.VALUE, { autoRegisterSchemas: true });
    // To the compiler its copy of protobuf's types, the one for CommonJS, is another one.
    const known = serializer.registry as { readonly add: (schema: never) => void };
    for (const schema of [StudentSchema, Student_AddressSchema]) known.add(schema as never);
    const written = await serializer.serialize(name, message);
    expect(written).toEqual(sent);
    expect(await readBack(name, serde, [written])).toEqual([message, message]);

    const nestedName = await createTopic();
    const nested = protobuf(registry, Student_AddressSchema);
    const address = create(Student_AddressSchema, { city: "Bern" });
    const nestedBytes = await sentBytes(nestedName, nested, address);
    expect(nestedBytes).toEqual(await serializer.serialize(nestedName, address));
    expect(await readBack(nestedName, nested, [nestedBytes])).toEqual([address, address]);
  });
});

test("the command shows values by the schema that they were written with", async () => {
  const name = await createTopic();
  const wide = { ...student, fields: [...student.fields, { name: "big", type: "long" }] };
  const wideType = studentType.extend({ id: z.bigint(), big: z.bigint() });
  const message = create(StudentSchema, { id: 1n, name: "Ann", course: { title: "Data" } });
  await producer.send(defineTopic(name, { value: avro(registry, wide, wideType, { longs: "bigint" }) }), {
    value: { ...ann, id: 1n, big: 2n ** 60n },
  });
  const [json, proto, nested] = [await createTopic(), await createTopic(), await createTopic()];
  await sentBytes(json, jsonSchema(registry, studentType), ann);
  await sentBytes(proto, protobuf(registry, StudentSchema), message);
  await sentBytes(
    nested,
    protobuf(registry, Student_AddressSchema),
    create(Student_AddressSchema, { city: "Bern" }),
  );
  const shown = async (topic: string): Promise<unknown> => {
    const { code, out, error } = await callCommand(
      ["tail", topic, "-e", "--json", "-b", brokers, "--schema-registry"].concat(url),
    );
    expect(error).toBe("");
    expect(code).toBe(0);
    return (JSON.parse(out) as { readonly value: unknown }).value;
  };
  expect(await shown(json)).toEqual(ann);
  expect(await shown(name)).toEqual({ ...ann, big: "1152921504606846976" });
  expect(await shown(proto)).toMatchObject({ id: "1", name: "Ann", course: { title: "Data" } });
  expect(await shown(nested)).toEqual({ city: "Bern" });
});

test("a topic whose schema evolves: old and new readers read old and new records", async () => {
  const name = await createTopic();
  const evolved = { ...student, fields: [...student.fields, { name: "level", type: "int", default: 1 }] };
  const old = defineTopic(name, { value: avro(registry, student, studentType) });
  const now = defineTopic(name, { value: avro(registry, evolved, studentType.extend({ level: z.int() })) });
  await producer.send(old, { value: ann });
  await producer.send(now, { value: { ...ann, level: 5 } });
  const read = async (topic: typeof old | typeof now) => {
    const values: unknown[] = [];
    for await (const { value } of kafka.read(topic)) values.push(value);
    return values;
  };
  expect(await read(old)).toEqual([ann, ann]);
  expect(await read(now)).toEqual([
    { ...ann, level: 1 },
    { ...ann, level: 5 },
  ]);
});

test("a schema that the registry does not take is an error that names the subject, and nothing is sent", async () => {
  const name = await createTopic();
  const value = avro(registry, student, studentType);
  await producer.send(defineTopic(name, { value }), { value: ann });
  await theirs.updateConfig(`${name}-value`, { compatibility: Compatibility.BACKWARD });
  const stricter = { ...student, fields: [...student.fields, { name: "level", type: "int" }] };
  const topic = defineTopic(name, {
    value: avro(registry, stricter, studentType.extend({ level: z.int() })),
  });
  const error: unknown = await producer.send(topic, { value: { ...ann, level: 1 } }).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(ConfigError);
  expect(String(error)).toMatch(new RegExp(`subject ${name}-value: the schema is not compatible`));
  expect(await readBack(name, value, [])).toEqual([ann]);
});

describe("a record that is not right", () => {
  test("goes to the dead letters byte for byte, and says why", async () => {
    const name = await createTopic();
    const topic = defineTopic(name, { value: avro(registry, student, studentType) });
    await producer.send(topic, { value: ann });
    const wrong = [Buffer.from('{"id":1}'), Buffer.from([0, 0x7f, 0xff, 0xff, 0xff, 2])];
    await producer.send(
      rawTopic(name),
      wrong.map((value) => ({ value })),
    );
    const groupId = uniqueName();
    const options = { groupId, deadLetter: true, onInvalid: "dead-letter" } as const;
    const consumer = kafka.consumer(topic, options);
    const handled: unknown[] = [];
    const running = consumer.run(({ value }) => void handled.push(value));
    await until("all are dealt with", async () => (await committedOffsets(brokers, groupId, name))[0] === 3);
    await consumer.close();
    await running;
    expect(handled).toEqual([ann]);
    const letters: [Buffer, string | undefined][] = [];
    for await (const { value, headers } of kafka.read(rawTopic(`${name}.${groupId}.dead-letter`)))
      letters.push([value, headers["dead-letter.error-message"]]);
    expect(letters.map(([value]) => value)).toEqual(wrong);
    expect(letters[0]?.[1]).toMatch(/do not begin with 0 and a schema id/);
    expect(letters[1]?.[1]).toMatch(/schema id 2147483647 is not in the registry/);
  });
});

describe("a registry that goes away", () => {
  test.each(["run", "runBatch", "for await", "processor"] as const)(
    "no record is lost or put aside, and %s goes on by itself when it is back",
    async (way) => {
      const name = await createTopic();
      const direct = schemaRegistry({ url: `http://127.0.0.1:${server.port}${server.path}` });
      const evolved = { ...student, fields: [...student.fields, { name: "level", type: "int", default: 1 }] };
      const first = defineTopic(name, { value: avro(direct, student, studentType) });
      const later = defineTopic(name, {
        value: avro(direct, evolved, studentType.extend({ level: z.int() })),
      });

      const groupId = uniqueName();
      const topic = defineTopic(name, {
        value: avro(schemaRegistry({ url, timeoutMs: 300 }), student, studentType),
      });
      const handled: number[] = [];
      const handler = ({ value: { id } }: { readonly value: { readonly id: number } }): void => {
        handled.push(id);
      };
      const options = { groupId, deadLetter: true, onInvalid: "dead-letter" } as const;
      const started = start(way);
      function start(how: typeof way): { readonly close: () => Promise<void>; readonly end: Promise<void> } {
        if (how === "processor") {
          const processor = kafka.processor(topic, { ...options, transactionalId: uniqueName() });
          return { close: () => processor.close(), end: processor.run(handler) };
        }
        const consumer = kafka.consumer(topic, options);
        const close = (): Promise<void> => consumer.close();
        if (how === "run") return { close, end: consumer.run(handler) };
        if (how === "runBatch")
          return {
            close,
            end: consumer.runBatch((records) => {
              records.forEach(handler);
            }),
          };
        const loop = async (): Promise<void> => {
          for await (const record of consumer) handler(record);
        };
        return { close, end: loop() };
      }

      await producer.send(first, { value: ann });
      await until("the first is handled", () => handled.length === 1);
      proxy.cut();
      warnings.length = 0;
      // The schema of the one is known already, that of the other is not.
      await producer.send(first, { value: { ...ann, id: 2 } });
      await producer.send(later, { value: { ...ann, id: 3, level: 5 } });
      const waits = (): number => warnings.filter((text) => /waits: .*cannot be reached/.test(text)).length;
      await until("it says that it waits, and again", () => waits() >= 2);
      expect(handled).toEqual([1, 2]);
      await proxy.restore();
      await until("the third is handled", () => handled.length === 3);
      expect(handled).toEqual([1, 2, 3]);
      await started.close();
      await started.end;
      expect((await committedOffsets(brokers, groupId, name))[0]).toBeGreaterThanOrEqual(2);
      for await (const { value } of kafka.read(rawTopic(`${name}.${groupId}.dead-letter`)))
        throw new Error(`it was put aside: ${value.toString("hex")}`);
    },
  );

  test("a consumer that waits can be closed, and the record stays for the next one", async () => {
    const name = await createTopic();
    await producer.send(defineTopic(name, { value: avro(registry, student, studentType) }), { value: ann });
    const value = avro(schemaRegistry({ url, timeoutMs: 300 }), student, studentType);
    const topic = defineTopic(name, { value });
    const groupId = uniqueName();
    proxy.cut();
    warnings.length = 0;
    const consumer = kafka.consumer(topic, { groupId });
    const running = consumer.run(() => {});
    await until("it waits", () => warnings.some((text) => text.includes("waits")));
    const began = performance.now();
    await consumer.close();
    await running;
    expect(performance.now() - began).toBeLessThan(20_000);
    expect(await committedOffsets(brokers, groupId, name)).toEqual([-1]);
    await proxy.restore();
    const next = kafka.consumer(topic, { groupId });
    for await (const record of next) {
      expect(record.value).toEqual(ann);
      break;
    }
  });

  test("a send fails as retriable, with nothing written; a read ends with the same error", async () => {
    const name = await createTopic();
    await producer.send(defineTopic(name, { value: avro(registry, student, studentType) }), { value: ann });
    const value = avro(schemaRegistry({ url, timeoutMs: 300 }), student, studentType);
    const topic = defineTopic(name, { value });
    proxy.cut();
    const sending: unknown = await producer.send(topic, { value: ann }).catch((error: unknown) => error);
    expect(sending).toBeInstanceOf(ConnectionError);
    expect(sending).toMatchObject({ retriable: true });
    const reading: unknown = await kafka
      .read(topic, { onInvalid: "skip" })
      .next()
      .catch((error: unknown) => error);
    expect(reading).toBeInstanceOf(ConnectionError);
    await proxy.restore();
    const isSent = () =>
      producer.send(topic, { value: { ...ann, id: 2 } }).then(
        () => true,
        (error: unknown) => {
          // That it takes longer than this to answer is the machine's matter.
          expect(error).toMatchObject({ retriable: true });
          return false;
        },
      );
    await until("it is sent", isSent);
    expect(await readBack(name, value, [])).toEqual([ann, { ...ann, id: 2 }]);
  });

  test("credentials that are refused stop the consumer with that error, the offset uncommitted", async () => {
    const name = await createTopic();
    await producer.send(defineTopic(name, { value: avro(registry, student, studentType) }), { value: ann });
    const refusing = schemaRegistry({
      url,
      fetch: () => Promise.resolve(new Response("{}", { status: 401 })),
    });
    const topic = defineTopic(name, { value: avro(refusing, student, studentType) });
    const groupId = uniqueName();
    const consumer = kafka.consumer(topic, { groupId, deadLetter: true, onInvalid: "dead-letter" });
    const error: unknown = await consumer.run(() => {}).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(AuthenticationError);
    expect(await committedOffsets(brokers, groupId, name)).toEqual([-1]);
  });
});
