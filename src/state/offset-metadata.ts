/** What a processor with stores commits beside each offset of a task. */
export interface OffsetMetadata {
  /** The stream time of the task, in milliseconds since the epoch; -1 where it has none. */
  readonly streamTime: number;
  /** The topic whose partitions the group assigns, so that each brings its task. */
  readonly assignedBy: string | undefined;
}

export function metadataOf({ streamTime, assignedBy }: OffsetMetadata): string {
  return JSON.stringify({ streamTime: streamTime < 0 ? undefined : streamTime, assignedBy });
}

/** Reads the metadata of a committed offset, which may be another program's. */
export function parseMetadata(metadata: unknown): OffsetMetadata {
  const parsed = parse(metadata);
  const { streamTime, assignedBy } = (typeof parsed === "object" && parsed !== null ? parsed : {}) as Partial<
    Record<keyof OffsetMetadata, unknown>
  >;
  return {
    streamTime: typeof streamTime === "number" && Number.isSafeInteger(streamTime) ? streamTime : -1,
    assignedBy: typeof assignedBy === "string" ? assignedBy : undefined,
  };
}

function parse(metadata: unknown): unknown {
  if (typeof metadata !== "string" || metadata === "") return undefined;
  try {
    return JSON.parse(metadata);
  } catch {
    return undefined;
  }
}
