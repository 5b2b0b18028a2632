#include "groups.h"

#include <utility>

namespace typed_kafka {

GroupQuestion::GroupQuestion(std::shared_ptr<Client> client, const std::string& groupId, int timeoutMs)
    : client_(std::move(client)), groupId_(groupId), timeoutMs_(timeoutMs) {}

GroupQuestion::~GroupQuestion() {
  if (groups_ != nullptr) rk.rd_kafka_group_list_destroy(groups_);
}

void GroupQuestion::work() {
  code_ = rk.rd_kafka_list_groups(client_->handle, groupId_.c_str(), &groups_, timeoutMs_);
  // Other brokers than the group's did not answer in time.
  if (code_ == RD_KAFKA_RESP_ERR__PARTIAL) code_ = RD_KAFKA_RESP_ERR_NO_ERROR;
}

std::vector<napi_value> GroupQuestion::answer(napi_env env) { return {toNumber(env, code_), group(env)}; }

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
