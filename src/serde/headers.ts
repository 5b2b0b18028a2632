import type { NativeHeader, RawHeaders, RawRecord } from "../record.js";
import { describeValue, SerdeFailure } from "./failure.js";
import { hasUtf8 } from "./utf8.js";

/** Headers as the native client takes them, with their size in bytes. */
export interface EncodedHeaders {
  readonly list: NativeHeader[] | undefined;
  readonly size: number;
}

/** No headers at all. */
export const noHeaders: EncodedHeaders = Object.freeze({ list: undefined, size: 0 });

/**
 * Headers as they were given, to headers as the native client takes them. It must be given nothing but strings,
 * buffers and nulls: it throws on anything else and sends the record all the same.
 *
 * @param single - whether a name may have only one string, as under a schema
 */
export function encodeHeaders(headers: unknown, single: boolean): EncodedHeaders {
  if (headers === undefined) return noHeaders;
  if (Object.prototype.toString.call(headers) !== "[object Object]") {
    throw new SerdeFailure(`expected an object of names and values, got ${describeValue(headers)}`);
  }
  const list: NativeHeader[] = [];
  let size = 0;
  for (const [name, value] of Object.entries(headers as object) as [string, unknown][]) {
    if (single && value === undefined) continue;
    checkName(name);
    const values: readonly unknown[] = !single && Array.isArray(value) ? value : [value];
    const nameSize = Buffer.byteLength(name);
    for (const each of values) {
      const bytes = nativeValue(name, each, single);
      list.push({ [name]: bytes });
      size += nameSize + (bytes === null ? 0 : Buffer.byteLength(bytes));
    }
  }
  return list.length === 0 ? noHeaders : { list, size };
}

/** Headers of a record that was read, to be sent again: byte for byte, in their order. */
export function encodeRawHeaders(headers: RawHeaders): EncodedHeaders {
  if (headers.length === 0) return noHeaders;
  let size = 0;
  const list = headers.map(([name, value]): NativeHeader => {
    size += Buffer.byteLength(name) + (value === null ? 0 : value.length);
    // A computed name makes a property of its own, also for "__proto__".
    return { [name]: value === null ? null : nativeBytes(value) };
  });
  return { list, size };
}

/** Every header of a record in order. */
export function rawHeadersOf(raw: RawRecord): RawHeaders {
  return raw.rawHeaders ?? decodeRawHeaders(raw.headers);
}

/** Every header in order, from the objects of one entry that the native client gives. */
export function decodeRawHeaders(headers: RawRecord["headers"]): RawHeaders {
  if (headers === undefined || headers.length === 0) return noRawHeaders;
  const list: [string, Buffer][] = [];
  for (const header of headers) {
    const entry = Object.entries(header)[0];
    list.push(entry ?? [prototypeName, Object.getPrototypeOf(header) as Buffer]);
  }
  return list;
}

/** The last value of each name, as UTF-8. */
export function decodeHeaders(headers: RawHeaders): Readonly<Record<string, string>> {
  if (headers.length === 0) return noReceivedHeaders;
  const received: Record<string, string> = {};
  for (const [name, value] of headers) {
    const text = value === null ? "" : value.toString();
    if (name === prototypeName) setOwn(received, name, text);
    else received[name] = text;
  }
  return received;
}

const noRawHeaders: RawHeaders = Object.freeze([]);
const noReceivedHeaders: Readonly<Record<string, string>> = Object.freeze({});

/**
 * The one name that does not make a property of its own when it is assigned: the native client
 * assigns it, so that the header's value arrives as the prototype of an empty object.
 */
const prototypeName = "__proto__";

function setOwn(object: Record<string, string>, name: string, value: string): void {
  Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
}

/** The native client takes a buffer of no bytes for null there; an empty string is sent as no bytes. */
function nativeBytes(value: Buffer): Buffer | string {
  return value.length === 0 ? "" : value;
}

function checkName(name: string): void {
  if (name.includes("\0")) {
    throw new SerdeFailure(
      `the name ${JSON.stringify(name)} holds a NUL, where the native client would cut it off`,
    );
  }
  if (!hasUtf8(name)) {
    throw new SerdeFailure(
      `the name ${JSON.stringify(name)} holds half of a surrogate pair, which is no UTF-8`,
    );
  }
}

function nativeValue(name: string, value: unknown, single: boolean): string | Buffer | null {
  if (typeof value === "string") {
    if (!hasUtf8(value)) {
      throw new SerdeFailure(`the value of ${name} holds half of a surrogate pair, which is no UTF-8`);
    }
    // The native client cuts a string off at a NUL, not a buffer.
    return value.includes("\0") ? Buffer.from(value) : value;
  }
  if (value === null && !single) return null;
  if (Buffer.isBuffer(value) && !single) return nativeBytes(value);
  throw new SerdeFailure(
    `the value of ${name} is ${describeValue(value)}: a header is ${single ? "a string" : "a string, a Buffer, null or an array of them"}`,
  );
}
