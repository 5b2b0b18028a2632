#include "block.h"

#include <cstring>

#include "text.h"

namespace typed_kafka {

namespace {

constexpr size_t headerLengthsSize = 2 * sizeof(int32_t);

/// Calls `visit(name, nameLength, value, valueLength)` for each header; `value` is NULL for a null.
template <typename Visit>
void eachHeader(const rd_kafka_message_t* record, Visit visit) {
  rd_kafka_headers_t* headers = nullptr;  // the record's own
  if (rk.rd_kafka_message_headers(record, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR || headers == nullptr) return;
  const char* name;
  const void* value;
  size_t length;
  for (size_t i = 0; rk.rd_kafka_header_get_all(headers, i, &name, &value, &length) == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
    visit(name, strlen(name), value, value == nullptr ? 0 : length);
}

size_t headersSize(const rd_kafka_message_t* record) {
  size_t size = 0;
  eachHeader(record, [&](const char*, size_t nameLength, const void*, size_t valueLength) {
    size += headerLengthsSize + nameLength + valueLength;
  });
  return size;
}

/// Appends bytes and says how many they are, -1 for none at all.
int32_t append(uint8_t*& out, const void* bytes, size_t length) {
  if (bytes == nullptr) return -1;
  if (length > 0) memcpy(out, bytes, length);
  out += length;
  return int32_t(length);
}

}  // namespace

Block pack(const std::vector<rd_kafka_message_t*>& records, const std::vector<int32_t>& partitions, size_t from,
           size_t to) {
  const size_t count = to - from;
  const size_t tableSize = count * (2 * sizeof(double) + sizeof(Row));
  Block block;
  block.count = uint32_t(count);
  block.size = tableSize;
  for (size_t i = from; i < to; i++) {
    const auto* record = records[i];
    block.size += (record->key == nullptr ? 0 : record->key_len) + (record->payload == nullptr ? 0 : record->len) +
                  headersSize(record);
  }
  block.bytes.reset(new uint8_t[block.size]);
  auto* const offsets = reinterpret_cast<double*>(block.bytes.get());
  auto* const timestamps = offsets + count;
  auto* const rows = reinterpret_cast<Row*>(timestamps + count);
  uint8_t* out = block.bytes.get() + tableSize;
  for (size_t i = 0; i < count; i++) {
    const auto* record = records[from + i];
    rd_kafka_timestamp_type_t type;
    offsets[i] = double(record->offset);
    timestamps[i] = double(rk.rd_kafka_message_timestamp(record, &type));
    Row& row = rows[i];
    row.start = uint32_t(out - block.bytes.get());
    const uint8_t* const key = out;
    row.keyLength = append(out, record->key, record->key_len);
    const uint8_t* const value = out;
    row.valueLength = append(out, record->payload, record->len);
    const auto keyText = row.keyLength < 0 ? Text::none : textOf(key, size_t(row.keyLength));
    const auto valueText = row.valueLength < 0 ? Text::none : textOf(value, size_t(row.valueLength));
    row.flags = int32_t(keyText) | int32_t(valueText) << 2;
    row.partition = partitions[from + i];
    row.leaderEpoch = rk.rd_kafka_message_leader_epoch(record);
    row.headerCount = 0;
    const uint8_t* const headers = out;
    eachHeader(record, [&](const char* name, size_t nameLength, const void* headerValue, size_t valueLength) {
      const int32_t lengths[2] = {int32_t(nameLength), headerValue == nullptr ? -1 : int32_t(valueLength)};
      append(out, lengths, sizeof lengths);
      append(out, name, nameLength);
      append(out, headerValue, valueLength);
      row.headerCount++;
    });
    row.headersLength = int32_t(out - headers);
  }
  return block;
}

}  // namespace typed_kafka
