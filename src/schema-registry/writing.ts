import type { WireFormat } from "../serde/schema-serde.js";
import type { SerdeContext } from "../serde/serde.js";
import { Cache } from "./cache.js";
import type { RegistrySchema, SchemaRegistry } from "./registry.js";
import type { ResolvedSerdeOptions } from "./serde-options.js";

/** Bytes of a value, with everything that comes before it. */
export type Writer = (wire: unknown, context: SerdeContext) => Buffer;

/** What is different from format to format. */
export interface WrittenFormat {
  /** The schema to be found under a subject; what it refers to is found before. */
  readonly schema: () => RegistrySchema | Promise<RegistrySchema>;
  /** What writes under this id: with the serde's own schema, or with the subject's `latest` where that is given. */
  readonly writer: (id: number, latest?: RegistrySchema) => Writer | Promise<Writer>;
  /** A copy of a value that has to wait while its owner may change it. Throws where it cannot be written. */
  readonly copy: (wire: unknown) => unknown;
}

/** Writes without a promise, but for the first records of a topic, which wait for the id of their schema. */
export function writing(
  registry: SchemaRegistry,
  format: WrittenFormat,
  { registration, subjectOf, normalize }: ResolvedSerdeOptions,
): WireFormat["write"] {
  const writers = { key: new Map<string, Writer>(), value: new Map<string, Writer>() };
  const begun = new Cache<string, Writer>();

  async function begin(context: SerdeContext): Promise<Writer> {
    const subject = subjectOf(context);
    let writer: Writer;
    if (registration === "latest") {
      const latest = await registry.latestOf(subject);
      writer = await format.writer(latest.id, latest);
    } else {
      const schema = await format.schema();
      writer = await format.writer(await registry.idOf(registration, { subject, schema, normalize }));
    }
    writers[context.part].set(context.topic, writer);
    return writer;
  }

  return (wire, context) => {
    const writer = writers[context.part].get(context.topic);
    if (writer !== undefined) return writer(wire, context);
    const copy = format.copy(wire);
    return begun
      .get(`${context.part} ${context.topic}`, () => begin(context))
      .then((write) => write(copy, context));
  };
}
