#include "leaders.h"

#include <utility>

namespace typed_kafka {

LeaderQuestion::LeaderQuestion(std::shared_ptr<Client> client, const std::string& topic, int32_t partitions,
                               int timeoutMs)
    : client_(std::move(client)),
      timeoutMs_(timeoutMs),
      partitions_(rk.rd_kafka_topic_partition_list_new(partitions)) {
  // As a time, it is the end of the log.
  for (int32_t i = 0; i < partitions; i++)
    rk.rd_kafka_topic_partition_list_add(partitions_.get(), topic.c_str(), i)->offset = RD_KAFKA_OFFSET_END;
}

void LeaderQuestion::work() { code_ = rk.rd_kafka_offsets_for_times(client_->handle, partitions_.get(), timeoutMs_); }

std::vector<napi_value> LeaderQuestion::answer(napi_env env) { return {toNumber(env, code_)}; }

}  // namespace typed_kafka
