import { SerdeFailure } from "../serde/failure.js";

/** The magic byte and the schema's id: what comes before everything else. */
export const headerSize = 5;

/** Whether bytes begin as Confluent's wire format does. */
export function hasId(bytes: Buffer): boolean {
  return bytes[0] === 0 && bytes.length >= headerSize;
}

/**
 * The id of the schema that bytes in Confluent's wire format were written with.
 *
 * @throws `SerdeFailure` for bytes in another format
 */
export function readId(bytes: Buffer): number {
  if (hasId(bytes)) return bytes.readInt32BE(1);
  throw new SerdeFailure(
    bytes[0] === 1 && bytes.length > 16
      ? "the bytes begin with the GUID of a schema (magic byte 1), which is not supported: let the sender write ids"
      : "the bytes do not begin with 0 and a schema id: they were not written by a serializer for a schema registry",
  );
}

/** Writes what comes before the body. */
export function writeHeader(bytes: Buffer, id: number): void {
  bytes[0] = 0;
  bytes.writeInt32BE(id, 1);
}

/**
 * The path to a protobuf message in its file, as it is written: how many steps, and each of them, as zigzag
 * varints; but 0 alone for the first message.
 */
export function encodeIndexes(indexes: readonly number[]): Buffer {
  if (indexes.length === 1 && indexes[0] === 0) return Buffer.from([0]);
  const bytes: number[] = [];
  for (const index of [indexes.length, ...indexes]) {
    let rest = index * 2;
    for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
    bytes.push(rest);
  }
  return Buffer.from(bytes);
}

/**
 * The path to the message, and where the message itself begins.
 *
 * @throws `SerdeFailure` where there is no such path
 */
export function readIndexes(bytes: Buffer): { readonly indexes: readonly number[]; readonly bodyAt: number } {
  let at = headerSize;
  const next = (): number => {
    let value = 0;
    for (let factor = 1; factor <= 2 ** 28; factor *= 128) {
      const byte = bytes[at];
      if (byte === undefined) break;
      at += 1;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) {
        if (value % 2 === 1) break;
        return value / 2;
      }
    }
    throw new SerdeFailure(
      "there is no protobuf message behind the schema id: its message indexes are not right",
    );
  };
  const count = next();
  if (count === 0) return { indexes: firstMessage, bodyAt: at };
  if (count > bytes.length) throw new SerdeFailure("its message indexes are cut off");
  const indexes: number[] = [];
  while (indexes.length < count) indexes.push(next());
  return { indexes, bodyAt: at };
}

const firstMessage: readonly number[] = [0];
