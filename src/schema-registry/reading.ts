import { SerdeFailure } from "../serde/failure.js";
import { Cache } from "./cache.js";
import type { RegistrySchema, SchemaRegistry } from "./registry.js";
import { readId } from "./wire-format.js";

/** The value in bytes, whatever comes before it. */
export type Reader = (bytes: Buffer) => unknown;

/**
 * Reads by the id in the bytes, without a promise but for the first records of each id.
 *
 * @param make - makes the reader of what was written with a schema
 */
export function reading(
  registry: SchemaRegistry,
  make: (schema: RegistrySchema, id: number) => Reader | Promise<Reader>,
): Reader {
  const readers = new Map<number, Reader>();
  const begun = new Cache<number, Reader>();

  async function begin(id: number): Promise<Reader> {
    const schema = await registry.schemaOf(id);
    let reader: Reader;
    try {
      reader = await make(schema, id);
    } catch (error) {
      if (!(error instanceof SerdeFailure)) throw error;
      // The schema of an id never changes, so this is so for every record of it.
      reader = () => {
        throw error;
      };
    }
    readers.set(id, reader);
    return reader;
  }

  return (bytes) => {
    const id = readId(bytes);
    const reader = readers.get(id);
    if (reader !== undefined) return reader(bytes);
    return begun.get(id, () => begin(id)).then((read) => read(bytes));
  };
}
