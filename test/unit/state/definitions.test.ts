import { expect, test } from "vitest";
import { z } from "zod";
import { ConfigError } from "../../../src/errors.js";
import { Kafka } from "../../../src/kafka.js";
import type { ProcessorOptions } from "../../../src/processor/options.js";
import { avro, jsonSchema, SchemaRegistry } from "../../../src/schema-registry/index.js";
import { integer } from "../../../src/serde/numbers.js";
import type { Serde } from "../../../src/serde/serde.js";
import { string } from "../../../src/serde/string.js";
import { StoreCodec } from "../../../src/state/store-codec.js";
import { defineStore } from "../../../src/state/store-definition.js";
import { defineWindowStore } from "../../../src/state/window-definition.js";
import { session, tumbling } from "../../../src/state/windows.js";
import { defineTopic } from "../../../src/topic.js";
import { silent } from "../../support/silent.js";

const topic = defineTopic("payments", { value: string() });
const totals = defineStore("totals", { value: integer() });
const registry = new SchemaRegistry({ url: "http://localhost:1" });
const value = integer();
const sizeMs = 10;

const waits: Serde<string> = {
  serialize: async (text) => Promise.resolve(Buffer.from(text)),
  deserialize: (bytes) => bytes.toString(),
};

function processor(options: Partial<ProcessorOptions>): void {
  const kafka = new Kafka({ brokers: "localhost:1", logger: silent });
  kafka.processor(topic, { groupId: "g", transactionalId: "t", ...options });
}

test.each([
  [
    "a directory without stores",
    () => processor({ stateDirectory: "/nowhere" }),
    /^stateDirectory: .*none is listed in `stores`/,
  ],
  [
    "a directory for no stores",
    () => processor({ stores: [], stateDirectory: "/nowhere" }),
    /^stateDirectory: .*list them/,
  ],
  [
    "a wait for topics without stores",
    () => processor({ maxTaskIdleMs: 1 }),
    /^maxTaskIdleMs: .*leave it out/,
  ],
  ["progress without stores", () => processor({ onRestore: () => undefined }), /^onRestore: is for stores/],
  [
    'stores with order "none"',
    () => processor({ stores: [totals], order: "none" }),
    /^order: .*use "partition"/,
  ],
  [
    "a serde that waits",
    () => defineStore("s", { value: waits }),
    /^value: .*gives promises.*store s are synchronous/,
  ],
  ["a key's serde that waits", () => defineStore("s", { value, key: waits }), /^key: .*gives promises/],
  [
    "windows with a serde that waits",
    () => defineWindowStore("w", { value: waits, window: tumbling({ sizeMs }) }),
    /^value: .*gives promises/,
  ],
  [
    "Avro of a registry",
    () => defineStore("s", { value: avro(registry, { type: "string" }, z.string()) }),
    /^value: .*schema registry is for topics/,
  ],
  [
    "JSON of a registry",
    () => defineStore("s", { value: jsonSchema(registry, z.string()) }),
    /^value: .*schema registry is for topics/,
  ],
  [
    "a value that may be null",
    () => defineStore("s", { value: z.string().nullable() }),
    /^value: .*takes null/,
  ],
  ["a name with a slash", () => defineStore("a/b", { value }), /^name: .*1 to 100 of/],
  ["a name of dots", () => defineStore("..", { value }), /^name: /],
  ["a retention of 0", () => defineStore("s", { value, retentionMs: 0 }), /^retentionMs: /],
  [
    "an unknown field",
    () => defineStore("s", { value, retention: 1 } as never),
    /^defineStore.retention: no such option/,
  ],
  [
    "a session without merge",
    // @ts-expect-error -- a session needs it
    () => defineWindowStore("w", { value, window: session({ gapMs: 5 }) }),
    /^merge: .*can join two sessions: give \(earlier, later\)/,
  ],
  [
    "merge for windows of time",
    () => defineWindowStore("w", { value, window: tumbling({ sizeMs }), merge: () => 1 } as never),
    /^merge: is for sessions/,
  ],
  ["no window", () => defineWindowStore("w", { value } as never), /^window: give tumbling/],
  [
    "a retention shorter than the grace",
    () => defineWindowStore("w", { value, window: tumbling({ sizeMs, graceMs: 100 }), retentionMs: 99 }),
    /^retentionMs: .*100/,
  ],
])("%s is refused by name, with what to do", (_what, make, message) => {
  expect(make).toThrow(ConfigError);
  expect(make).toThrow(message);
});

test("a serde that turns out to give promises is refused when it is used, and what it fails with is nobody's", async () => {
  const later: Serde<string> = {
    serialize: () => Promise.reject(new Error("nobody waits for it")),
    deserialize: () => Promise.reject(new Error("nobody waits for it")),
  };
  const codec = new StoreCodec(defineStore("s", { value: later, key: later }), "g.s.changelog", 0);
  const entry = { key: Buffer.from("k"), value: Buffer.from("v"), timestamp: 0 };
  const uses = [
    () => codec.encodeKey("k"),
    () => codec.encodeValue("v"),
    () => codec.decodeKey(entry),
    () => codec.decodeValue(entry),
  ];
  for (const use of uses) {
    expect(use).toThrow(ConfigError);
    expect(use).toThrow(/gives promises.*store s are synchronous/);
  }
  // An unhandled rejection would fail the test.
  await new Promise(setImmediate);
});
