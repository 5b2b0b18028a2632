// Asks what a group is for. The binding cannot without ending the process: librdkafka fails an assertion where a member's
// assignment is not one of Kafka's consumers, and the binding reads the coordinator of groups that were not described.
#pragma once

#include <memory>
#include <string>

#include "clients.h"
#include "node.h"

namespace typed_kafka {

/// One question. It owns itself from `ask` on, until it is answered. The binding's client must be connected as long.
class GroupQuestion {
 public:
  /// Blocks one of libuv's threads for `timeoutMs` at most: less, where all brokers answer. `onAnswer(code, group)` is
  /// called once: with 0 and `[protocol type, assignment, …]` of the group, whose assignments are buffers; with 0 and
  /// `undefined` where no broker that answered has it; or with an error's code.
  static void ask(napi_env env, std::shared_ptr<Client> client, const std::string& groupId, int timeoutMs,
                  napi_value onAnswer);
  GroupQuestion(const GroupQuestion&) = delete;
  GroupQuestion& operator=(const GroupQuestion&) = delete;

 private:
  GroupQuestion(std::shared_ptr<Client> client, const std::string& groupId, int timeoutMs);
  ~GroupQuestion();
  void list();
  void tell(napi_env env);
  /// `undefined` where there is none; null, with an exception, where it cannot be made.
  napi_value group(napi_env env) const;

  std::shared_ptr<Client> client_;
  const std::string groupId_;
  const int timeoutMs_;
  napi_ref onAnswer_ = nullptr;
  napi_async_work work_ = nullptr;
  const rd_kafka_group_list* groups_ = nullptr;
  rd_kafka_resp_err_t code_ = RD_KAFKA_RESP_ERR_NO_ERROR;
};

}  // namespace typed_kafka
