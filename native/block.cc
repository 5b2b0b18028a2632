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

Text kindOf(const void* bytes, size_t length) {
  return bytes == nullptr ? Text::none : textOf(static_cast<const uint8_t*>(bytes), length);
}

/// Of the partition of this index; null where it has none.
const std::vector<Form>* formsOf(const Forms& forms, int32_t partition) {
  if (partition < 0 || size_t(partition) >= forms.size()) return nullptr;
  const auto& known = forms[size_t(partition)];
  return known == nullptr || known->empty() ? nullptr : known.get();
}

/// Data with scalars ends here: where they are, and how long, has to fit.
constexpr size_t mostFormed = INT32_MAX >> kindBits;

}  // namespace

Block pack(const std::vector<rd_kafka_message_t*>& records, const std::vector<int32_t>& partitions, const Forms& forms,
           size_t from, size_t to) {
  const size_t count = to - from;
  std::vector<int32_t> flags(count), scalars;
  size_t dataSize = 0;
  for (size_t i = 0; i < count; i++) {
    const auto* record = records[from + i];
    if (record->key != nullptr) dataSize += record->key_len;
    const auto valueText = kindOf(record->payload, record->len);
    flags[i] = int32_t(kindOf(record->key, record->key_len)) | int32_t(valueText) << 2;
    const auto* known = formsOf(forms, partitions[from + i]);
    if (known != nullptr && valueText != Text::none && dataSize + record->len <= mostFormed) {
      const size_t index = scalars.size();
      const bool isFound =
          findScalars(*known, static_cast<const uint8_t*>(record->payload), record->len, dataSize, scalars);
      flags[i] |= int32_t(isFound ? index + 2 : 1) << 4;
    }
    if (record->payload != nullptr) dataSize += record->len;
    dataSize += headersSize(record);
  }
  Block block;
  block.count = uint32_t(count);
  const size_t tableSize = count * (2 * sizeof(double) + sizeof(Row)) + scalars.size() * sizeof(int32_t);
  block.size = tableSize + dataSize;
  block.bytes.reset(new uint8_t[block.size]);
  auto* const offsets = reinterpret_cast<double*>(block.bytes.get());
  auto* const timestamps = offsets + count;
  auto* const rows = reinterpret_cast<Row*>(timestamps + count);
  if (!scalars.empty()) memcpy(rows + count, scalars.data(), scalars.size() * sizeof(int32_t));
  uint8_t* out = block.bytes.get() + tableSize;
  for (size_t i = 0; i < count; i++) {
    const auto* record = records[from + i];
    rd_kafka_timestamp_type_t type;
    offsets[i] = double(record->offset);
    timestamps[i] = double(rk.rd_kafka_message_timestamp(record, &type));
    Row& row = rows[i];
    row.start = uint32_t(out - block.bytes.get());
    row.keyLength = append(out, record->key, record->key_len);
    row.valueLength = append(out, record->payload, record->len);
    row.flags = flags[i];
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
