// Offsets that JavaScript commits, and those that it adds to a transaction: the binding never frees the latter.
#pragma once

#include <memory>
#include <string>

#include "clients.h"
#include "job.h"

namespace typed_kafka {

/// Of `[topic, partition, offset, …]`, or with `hasMetadata` of `[topic, partition, offset, metadata, …]`, where an empty
/// text is none. Null, with an exception, where it is not.
PartitionList readOffsets(napi_env env, napi_value array, bool hasMetadata);

class OffsetsOfTransaction : public Job {
 public:
  /// Adds them to the producer's transaction, under the consumer's membership as of when it begins. The callback gets an
  /// error's code or 0, its text, and 1 where it is fatal, 2 where it may be repeated, and 4 where the transaction has to
  /// be aborted, added up. The binding's clients must be connected until it is called.
  OffsetsOfTransaction(std::shared_ptr<Client> producer, std::shared_ptr<Client> consumer, PartitionList offsets,
                       int timeoutMs);

 protected:
  void work() override;
  std::vector<napi_value> answer(napi_env env) override;

 private:
  const std::shared_ptr<Client> producer_, consumer_;
  const PartitionList offsets_;
  const int timeoutMs_;
  int code_ = RD_KAFKA_RESP_ERR_NO_ERROR;
  std::string text_;
  int flags_ = 0;
};

}  // namespace typed_kafka
