import { isUtf8 } from "node:buffer";
import { SerdeFailure } from "./failure.js";

const replacement = "\uFFFD";
const loneSurrogate = /\p{Surrogate}/u;

/** The text of bytes that must be UTF-8. Only text that holds the sign of a fault is looked at again. */
export function decodeUtf8(bytes: Buffer): string {
  const text = bytes.toString();
  if (text.includes(replacement) && !isUtf8(bytes)) {
    throw new SerdeFailure("the bytes are not UTF-8: use bytes(), or a Serde for their encoding");
  }
  return text;
}

/** Whether a string has UTF-8 of its own: half of a surrogate pair would be read as another character. */
export function hasUtf8(text: string): boolean {
  return !loneSurrogate.test(text);
}
