/** What a processor with stores commits beside each offset: the stream time of the task. */
export function metadataOf(streamTime: number): string {
  return JSON.stringify({ streamTime });
}

/** The stream time in a committed offset's metadata, in milliseconds since the epoch; -1 where there is none. */
export function streamTimeOf(metadata: unknown): number {
  if (typeof metadata !== "string" || metadata === "") return -1;
  try {
    const parsed: unknown = JSON.parse(metadata);
    const time =
      typeof parsed === "object" && parsed !== null && "streamTime" in parsed ? parsed.streamTime : -1;
    return typeof time === "number" && Number.isSafeInteger(time) ? time : -1;
  } catch {
    // Another program's.
    return -1;
  }
}
