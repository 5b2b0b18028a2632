import type { EncodedRecord } from "../record.js";
import type { Encoder } from "./encoder.js";
import type { EncodedHeaders } from "./headers.js";

/** The encoder, with these headers behind the record's own. A record that has one of their names stays as it is. */
export function addingHeaders(encode: Encoder, added: EncodedHeaders | undefined): Encoder {
  if (added?.list === undefined) return encode;
  const { list, size } = added;
  const names = new Set(list.flatMap(Object.keys));
  const withAdded = (record: EncodedRecord): EncodedRecord => {
    const { headers } = record;
    if (headers === undefined) return { ...record, headers: list, size: record.size + size };
    if (headers.some((header) => Object.keys(header).some((name) => names.has(name)))) return record;
    return { ...record, headers: [...headers, ...list], size: record.size + size };
  };
  return (record, index) => {
    const encoded = encode(record, index);
    return encoded instanceof Promise ? encoded.then(withAdded) : withAdded(encoded);
  };
}
