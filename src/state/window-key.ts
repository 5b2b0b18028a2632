import { SerdeFailure } from "../serde/failure.js";
import type { Windows, WindowSpan } from "./windows.js";

/**
 * The key of a window in its changelog, as Kafka Streams' serializers write it: the key's bytes, then for windows of
 * time the start, and for sessions the end and the start, each 8 bytes, big-endian.
 */
export const windowKey = {
  encode(windows: Windows, key: Buffer, { start, end }: WindowSpan): Buffer {
    const isSession = windows.type === "session";
    const bytes = Buffer.allocUnsafe(key.length + (isSession ? 16 : 8));
    key.copy(bytes);
    if (isSession) bytes.writeBigInt64BE(BigInt(end), key.length);
    bytes.writeBigInt64BE(BigInt(start), bytes.length - 8);
    return bytes;
  },

  /** @throws `SerdeFailure` for what is no key of such a window */
  decode(windows: Windows, bytes: Buffer): WindowSpan & { readonly key: Buffer } {
    const length = bytes.length - (windows.type === "session" ? 16 : 8);
    if (length < 0) throw new SerdeFailure(`the key of a window has ${bytes.length} bytes only`);
    const start = Number(bytes.readBigInt64BE(bytes.length - 8));
    const end = windows.type === "session" ? Number(bytes.readBigInt64BE(length)) : start + windows.sizeMs;
    return { key: bytes.subarray(0, length), start, end };
  },
};
