import { randomUUID } from "node:crypto";
import { closeSync, existsSync, openSync, readSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { KafkaError } from "../../errors.js";
import { ownFiles } from "../../installed-package.js";
import { loadBinding } from "../binding.js";
import type { NativeProperties } from "../native.js";

/** The addon of the fast path (`native/addon.cc`). Its objects must not be used after `close`. */
export interface Addon {
  readonly interfaceVersion: number;
  /** The version of librdkafka, once a client was configured with the addon as a plugin. */
  readonly status: () => string | undefined;
  /**
   * Asks what a topic or a broker is configured with (`resourceTypes`), by the client with this token, which has to be
   * connected until `onAnswer` is called: with 0, an empty text and `[name, value, …]`, or with an error's code and text. Addons that were
   * compiled before it was written are without it, and do all else.
   */
  readonly describeConfigs?: (
    token: string,
    resourceType: number,
    name: string,
    timeoutMs: number,
    onAnswer: (code: number, text: string, settings: readonly string[]) => void,
  ) => void;
  /**
   * Asks what a group is for, by the client with this token, which has to be connected until `onAnswer` is called: with 0
   * and `[protocol type, a member's assignment, …]`, with 0 and `undefined` where there is no such group, or with an
   * error's code. Older addons are without it.
   */
  readonly askGroup?: (
    token: string,
    groupId: string,
    timeoutMs: number,
    onAnswer: (code: number, group: readonly [string, ...Buffer[]] | undefined) => void,
  ) => void;
  /**
   * Asks the leaders of all partitions of a topic whether they are, at once, by the client with this token, which has to be
   * connected until `onAnswer` is called: with 0 or an error's code.
   */
  readonly askLeaders: (
    token: string,
    topic: string,
    partitions: number,
    timeoutMs: number,
    onAnswer: (code: number) => void,
  ) => void;
  /**
   * Adds offsets, `[topic, partition, offset, metadata, …]`, to the transaction of the producer with this token, under the
   * membership of the consumer with the other one. Both have to be connected until `onAnswer` is called: with 0, or with an
   * error's code, its text and its {@link errorFlags}.
   */
  readonly sendOffsets: (
    token: string,
    consumerToken: string,
    offsets: readonly (string | number)[],
    timeoutMs: number,
    onAnswer: (code: number, text: string, flags: number) => void,
  ) => void;
  /** Makes a topic in the mock cluster of the client with this token, and gives an error's code or 0. Older addons are without it. */
  readonly createMockTopic?: (token: string, name: string, partitions: number, replicas: number) => number;
  readonly Consumer: new (
    token: string,
    onFetched: OnFetched,
    onCommitted: (code: number) => void,
  ) => AddonConsumer;
  readonly Producer: new (token: string, onReports: () => void) => AddonProducer;
}

/** What librdkafka says of an error beside its code: `OffsetsOfTransaction` in `native/offsets.h`. */
export const errorFlags = { fatal: 1, retriable: 2, requiresAbort: 4 } as const;

/** `[buffer, count, …]`, `[index, topic, partition, …]` and `[code, partition's index, offset, text, …]`. */
export type OnFetched = (
  blocks: readonly (ArrayBuffer | number)[] | undefined,
  newPartitions: readonly (number | string)[] | undefined,
  errors: readonly (number | string)[] | undefined,
) => void;

export interface AddonConsumer {
  /** Asks for the available records, up to `count`; `false` where the fetch before was not answered yet. */
  readonly fetch: (count: number) => boolean;
  /** `[topic, partition, offset, …]`. Returns an error code, or 0 where the outcome will be told. */
  readonly commit: (offsets: readonly (string | number)[]) => number;
  /**
   * Looks for a form (`native/form.h`) in the values of the partition with this index, beside the newest it has. Without
   * pieces it looks for none any more. Older addons are without it.
   */
  readonly addForm?: (partition: number, number: number, pieces: readonly string[]) => void;
  readonly close: () => void;
}

export interface AddonProducer {
  /** The number of a topic. @throws where there can be no topic of this name */
  readonly topic: (name: string) => number;
  /**
   * See `Order` in `native/producer.h`. Stops at the first record that is refused, and returns how many were queued
   * before it and its error code; `undefined` where all were queued.
   */
  readonly produce: (
    topic: number,
    orders: Int32Array,
    count: number,
    bytes: Uint8Array,
  ) => readonly [queued: number, code: number] | undefined;
  /** See `Report` in `native/reports.h`. */
  readonly takeReports: () => ArrayBuffer | undefined;
  /** Before the binding disconnects. */
  readonly release: () => void;
  /** After the binding has disconnected. */
  readonly close: () => void;
}

/** Whether the addon is used, or why not. */
export type FastPath =
  | { readonly addon: Addon; readonly file: string; readonly reason?: undefined }
  | { readonly addon?: undefined; readonly reason: string };

/** Of `native/addon.cc`. */
const interfaceVersion = 4;
/** `off`, `on` (an error where it cannot be used), or the addon's file. */
const variable = "TYPED_KAFKA_NATIVE";

let known: FastPath | undefined;

/**
 * Loads the addon when the first client is made. Where it cannot be used the plain path is: slower, and the same in
 * everything else.
 *
 * @throws `KafkaError` with the code `BINDING` where the environment variable `TYPED_KAFKA_NATIVE` wants it, and it
 *   cannot be used
 */
export function fastPath(): FastPath {
  known ??= find(process.env[variable] ?? "");
  return known;
}

/** The properties that make a native client one of the addon's, and what the addon knows it by. They come first of all. */
export function pluginProperties(
  file: string,
  properties: NativeProperties,
): { readonly token: string; readonly properties: NativeProperties } {
  // The process may have several copies of this library, and has one addon.
  const token = randomUUID();
  const others = properties["plugin.library.paths"];
  const paths = others === undefined || others === "" ? file : `${file};${String(others)}`;
  return { token, properties: { "plugin.library.paths": paths, "typedkafka.client": token } };
}

function find(wish: string): FastPath {
  if (wish === "off") return { reason: `the environment variable ${variable} is off` };
  const isWanted = wish !== "" && wish !== "auto";
  const found = load(isWanted && wish !== "on" ? wish : undefined);
  if (isWanted && found.reason !== undefined) {
    const message = `${variable} is ${wish}, but the fast path cannot be used: ${found.reason}`;
    throw new KafkaError("BINDING", message);
  }
  return found;
}

function load(given: string | undefined): FastPath {
  try {
    const file = given ?? files().find((candidate) => existsSync(candidate));
    if (file === undefined) return { reason: `there is no addon for ${target()}` };
    // librdkafka takes it for the end of the path.
    if (file.includes(";")) return { reason: `the addon's path holds a semicolon: ${file}` };
    const addon = createRequire(file)(file) as Addon;
    if (addon.interfaceVersion !== interfaceVersion)
      return { reason: `the addon is of another version of this library: ${file}` };
    const { Producer } = loadBinding();
    // A client that never connects: configuring it makes the addon look librdkafka up, or say why it cannot.
    new Producer({ "plugin.library.paths": file, "typedkafka.client": "" }, null);
    return addon.status() === undefined ? { reason: "the addon was not called" } : { addon, file };
  } catch (error) {
    if (error instanceof KafkaError) throw error;
    return { reason: error instanceof Error ? error.message : String(error) };
  }
}

/** Where the addon may be: compiled by the set-up of a clone, or brought along by the package. */
function files(): readonly string[] {
  const name = `${target()}.node`;
  // From src/ in a clone, from dist/ and dist/cjs/ in the package.
  return ownFiles()
    .map((file) => dirname(file))
    .flatMap((folder) => [
      join(folder, "..", "native", "build", name),
      join(folder, "..", "prebuilt", name),
      join(folder, "..", "..", "prebuilt", name),
    ]);
}

function target(): string {
  return `${process.platform}-${process.arch}${isMusl() ? "-musl" : ""}`;
}

/** By the loader that Node.js names in its first bytes: the report that has the version too takes tens of milliseconds. */
function isMusl(): boolean {
  if (process.platform !== "linux") return false;
  const beginning = Buffer.alloc(4096);
  const file = openSync(process.execPath, "r");
  try {
    readSync(file, beginning);
  } finally {
    closeSync(file);
  }
  return beginning.includes("/ld-musl-");
}
