// Asks what a group is for. The binding cannot without ending the process: librdkafka fails an assertion where a member's
// assignment is not one of Kafka's consumers, and the binding reads the coordinator of groups that were not described.
#pragma once

#include <memory>
#include <string>

#include "clients.h"
#include "job.h"

namespace typed_kafka {

class GroupQuestion : public Job {
 public:
  /// Takes `timeoutMs` at most: less, where all brokers answer. The callback gets 0 and `[protocol type, assignment, …]`
  /// of the group, whose assignments are buffers; 0 and `undefined` where no broker that answered has it; or an error's
  /// code and `undefined`. The binding's client must be connected until it is called.
  GroupQuestion(std::shared_ptr<Client> client, const std::string& groupId, int timeoutMs);
  ~GroupQuestion() override;

 protected:
  void work() override;
  std::vector<napi_value> answer(napi_env env) override;

 private:
  /// `undefined` where there is none; null, with an exception, where it cannot be made.
  napi_value group(napi_env env) const;

  const std::shared_ptr<Client> client_;
  const std::string groupId_;
  const int timeoutMs_;
  const rd_kafka_group_list* groups_ = nullptr;
  rd_kafka_resp_err_t code_ = RD_KAFKA_RESP_ERR_NO_ERROR;
};

}  // namespace typed_kafka
