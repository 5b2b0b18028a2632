/** The protocol's times for a position in a log instead of a record's (ListOffsets): its first offset. */
export const logStart = -2;
/** The protocol's time for the offset that a log's next record gets. */
export const logEnd = -1;
