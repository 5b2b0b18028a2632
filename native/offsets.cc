#include "offsets.h"

#include <cstring>
#include <utility>

namespace typed_kafka {

namespace {

/// librdkafka frees it, with the list.
void setMetadata(rd_kafka_topic_partition_t* partition, const std::string& metadata) {
  const size_t size = metadata.size() + 1;
  partition->metadata = rk.rd_kafka_mem_malloc(nullptr, size);
  if (partition->metadata == nullptr) return;
  memcpy(partition->metadata, metadata.c_str(), size);
  partition->metadata_size = size;
}

}  // namespace

PartitionList readOffsets(napi_env env, napi_value array, bool hasMetadata) {
  const uint32_t width = hasMetadata ? 4 : 3;
  uint32_t length = 0;
  if (!check(env, napi_get_array_length(env, array, &length))) return nullptr;
  PartitionList list(rk.rd_kafka_topic_partition_list_new(int(length / width)));
  for (uint32_t i = 0; i + width <= length; i += width) {
    napi_value values[4];
    for (uint32_t j = 0; j < width; j++)
      if (!check(env, napi_get_element(env, array, i + j, &values[j]))) return nullptr;
    std::string topic, metadata;
    int32_t partition;
    int64_t offset;
    if (!readText(env, values[0], topic) || napi_get_value_int32(env, values[1], &partition) != napi_ok ||
        napi_get_value_int64(env, values[2], &offset) != napi_ok ||
        (hasMetadata && !readText(env, values[3], metadata))) {
      fail(env, hasMetadata ? "expected topic, partition, offset, metadata" : "expected topic, partition, offset");
      return nullptr;
    }
    auto* const added = rk.rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition);
    added->offset = offset;
    if (!metadata.empty()) setMetadata(added, metadata);
  }
  return list;
}

OffsetsOfTransaction::OffsetsOfTransaction(std::shared_ptr<Client> producer, std::shared_ptr<Client> consumer,
                                           PartitionList offsets, int timeoutMs)
    : producer_(std::move(producer)),
      consumer_(std::move(consumer)),
      offsets_(std::move(offsets)),
      timeoutMs_(timeoutMs) {}

void OffsetsOfTransaction::work() {
  auto* const membership = rk.rd_kafka_consumer_group_metadata(consumer_->handle);
  auto* const error =
      rk.rd_kafka_send_offsets_to_transaction(producer_->handle, offsets_.get(), membership, timeoutMs_);
  if (membership != nullptr) rk.rd_kafka_consumer_group_metadata_destroy(membership);
  if (error == nullptr) return;
  code_ = rk.rd_kafka_error_code(error);
  text_ = rk.rd_kafka_error_string(error);
  flags_ = (rk.rd_kafka_error_is_fatal(error) ? 1 : 0) | (rk.rd_kafka_error_is_retriable(error) ? 2 : 0) |
           (rk.rd_kafka_error_txn_requires_abort(error) ? 4 : 0);
  rk.rd_kafka_error_destroy(error);
}

std::vector<napi_value> OffsetsOfTransaction::answer(napi_env env) {
  return {toNumber(env, code_), toText(env, text_), toNumber(env, flags_)};
}

}  // namespace typed_kafka
