// Records as one block of memory, which JavaScript reads without a call.
//
// A block of n records is, in the byte order of the machine (src/driver/fast/block.ts reads it):
//
//   Float64  offset[n]
//   Float64  timestamp[n]          milliseconds since the epoch, -1 where it is not known
//   Int32    row[n][8]             see `Row`
//   Int32    scalars               of the values whose form is known, see form.h
//   bytes of each record           its key, its value, its headers, one after the other: the data
//
// A header is Int32 length of the name, Int32 length of the value (-1 for null), name, value; not aligned.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "form.h"
#include "librdkafka.h"

namespace typed_kafka {

struct Row {
  /// Where the record's bytes begin, from the block's beginning. Unsigned: a block may be up to 4 GiB.
  uint32_t start;
  /// In bytes; -1 for null.
  int32_t keyLength;
  /// In bytes; -1 for null.
  int32_t valueLength;
  /// Of all headers together, in bytes.
  int32_t headersLength;
  /// Which partition: an index that JavaScript was told before (see `Partitions`).
  int32_t partition;
  /// `Text` of the key in the bits 0 and 1, of the value in the bits 2 and 3. The others are 0 where there was no form to
  /// look for, 1 where the value has none of those, else 2 more than the index of its scalars' first integer. These count
  /// from the beginning of the data.
  int32_t flags;
  /// -1 where it is not known.
  int32_t leaderEpoch;
  int32_t headerCount;
};
static_assert(sizeof(Row) == 32, "JavaScript reads rows of eight integers");

struct Block {
  std::unique_ptr<uint8_t[]> bytes;
  size_t size = 0;
  uint32_t count = 0;
};

/// Packs records that are no errors. `partitions[i]` is the index of the partition of `records[i]`.
/// The records stay the caller's.
Block pack(const std::vector<rd_kafka_message_t*>& records, const std::vector<int32_t>& partitions, const Forms& forms,
           size_t from, size_t to);

}  // namespace typed_kafka
