#include "groups.h"

#include <utility>

namespace typed_kafka {

GroupQuestion::GroupQuestion(std::shared_ptr<Client> client, const std::string& groupId, int timeoutMs)
    : client_(std::move(client)), groupId_(groupId), timeoutMs_(timeoutMs) {}

GroupQuestion::~GroupQuestion() {
  if (groups_ != nullptr) rk.rd_kafka_group_list_destroy(groups_);
}

void GroupQuestion::ask(napi_env env, std::shared_ptr<Client> client, const std::string& groupId, int timeoutMs,
                        napi_value onAnswer) {
  auto* const question = new GroupQuestion(std::move(client), groupId, timeoutMs);
  const auto run = [](napi_env, void* self) { static_cast<GroupQuestion*>(self)->list(); };
  const auto done = [](napi_env at, napi_status, void* self) { static_cast<GroupQuestion*>(self)->tell(at); };
  if (check(env, napi_create_reference(env, onAnswer, 1, &question->onAnswer_)) &&
      check(env, napi_create_async_work(env, nullptr, toText(env, "typed-kafka group"), run, done, question,
                                        &question->work_)) &&
      check(env, napi_queue_async_work(env, question->work_)))
    return;
  if (question->work_ != nullptr) napi_delete_async_work(env, question->work_);
  if (question->onAnswer_ != nullptr) napi_delete_reference(env, question->onAnswer_);
  delete question;
}

void GroupQuestion::list() {
  code_ = rk.rd_kafka_list_groups(client_->handle, groupId_.c_str(), &groups_, timeoutMs_);
  // Other brokers than the group's did not answer in time.
  if (code_ == RD_KAFKA_RESP_ERR__PARTIAL) code_ = RD_KAFKA_RESP_ERR_NO_ERROR;
}

void GroupQuestion::tell(napi_env env) {
  napi_value arguments[2] = {toNumber(env, code_), group(env)};
  napi_value callback = nullptr;
  const bool isRight = arguments[1] != nullptr && check(env, napi_get_reference_value(env, onAnswer_, &callback));
  napi_delete_reference(env, onAnswer_);
  napi_delete_async_work(env, work_);
  // Before the call, which may disconnect the client.
  delete this;
  if (isRight) napi_call_function(env, undefined(env), callback, 2, arguments, nullptr);
}

napi_value GroupQuestion::group(napi_env env) const {
  if (groups_ == nullptr || groups_->group_cnt == 0) return undefined(env);
  const auto& found = groups_->groups[0];
  napi_value answer = nullptr;
  const std::string type = found.protocol_type == nullptr ? "" : found.protocol_type;
  bool isRight = check(env, napi_create_array(env, &answer)) &&
                 check(env, napi_set_element(env, answer, 0, toText(env, type)));
  for (int i = 0; isRight && i < found.member_cnt; i++) {
    const auto& member = found.members[i];
    napi_value assignment = nullptr;
    isRight = check(env, napi_create_buffer_copy(env, size_t(member.member_assignment_size), member.member_assignment,
                                                 nullptr, &assignment)) &&
              check(env, napi_set_element(env, answer, uint32_t(i + 1), assignment));
  }
  return isRight ? answer : nullptr;
}

}  // namespace typed_kafka
