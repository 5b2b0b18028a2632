#include "configs.h"

#include <utility>

namespace typed_kafka {

ConfigQuestion::ConfigQuestion(std::shared_ptr<Client> client)
    : client_(std::move(client)), answers_(rk.rd_kafka_queue_new(client_->handle)) {}

ConfigQuestion::~ConfigQuestion() {
  // From here on `onEvent` is not called: it is called, and replaced, under the queue's lock.
  rk.rd_kafka_queue_cb_event_enable(answers_, nullptr, nullptr);
  rk.rd_kafka_queue_destroy(answers_);
  if (wake_ != nullptr) wake_->close();
}

void ConfigQuestion::ask(napi_env env, std::shared_ptr<Client> client, rd_kafka_ResourceType_t type,
                         const std::string& name, int timeoutMs, napi_value onAnswer) {
  auto* const question = new ConfigQuestion(std::move(client));
  question->wake_ = std::make_unique<Wake>(
      env, onAnswer, "typed-kafka settings",
      [question](napi_env at, napi_value callback) { question->tell(at, callback); });
  rk.rd_kafka_queue_cb_event_enable(question->answers_, onEvent, question);
  auto* const handle = question->client_->handle;
  auto* const options = rk.rd_kafka_AdminOptions_new(handle, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
  char problem[256];
  rk.rd_kafka_AdminOptions_set_request_timeout(options, timeoutMs, problem, sizeof problem);
  auto* resource = rk.rd_kafka_ConfigResource_new(type, name.c_str());
  rk.rd_kafka_DescribeConfigs(handle, &resource, 1, options, question->answers_);
  rk.rd_kafka_ConfigResource_destroy(resource);
  rk.rd_kafka_AdminOptions_destroy(options);
}

void ConfigQuestion::onEvent(rd_kafka_t*, void* self) { static_cast<ConfigQuestion*>(self)->wake_->ring(); }

void ConfigQuestion::tell(napi_env env, napi_value callback) {
  rd_kafka_event_t* const event = rk.rd_kafka_queue_poll(answers_, 0);
  if (event == nullptr) return;
  int32_t code = rk.rd_kafka_event_error(event);
  const char* text = rk.rd_kafka_event_error_string(event);
  napi_value settings = nullptr;
  bool isRight = check(env, napi_create_array(env, &settings));
  const auto* const result = rk.rd_kafka_event_DescribeConfigs_result(event);
  size_t count = 0;
  const auto resources = result == nullptr ? nullptr : rk.rd_kafka_DescribeConfigs_result_resources(result, &count);
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR && count == 1) {
    code = rk.rd_kafka_ConfigResource_error(resources[0]);
    text = rk.rd_kafka_ConfigResource_error_string(resources[0]);
    const auto entries = rk.rd_kafka_ConfigResource_configs(resources[0], &count);
    uint32_t at = 0;
    for (size_t i = 0; isRight && i < count; i++) {
      const char* const value = rk.rd_kafka_ConfigEntry_value(entries[i]);
      // A secret has none.
      if (value == nullptr) continue;
      isRight = check(env, napi_set_element(env, settings, at++, toText(env, rk.rd_kafka_ConfigEntry_name(entries[i])))) &&
                check(env, napi_set_element(env, settings, at++, toText(env, value)));
    }
  }
  const std::string why = text == nullptr ? "" : text;
  rk.rd_kafka_event_destroy(event);
  napi_value arguments[3] = {toNumber(env, code), toText(env, why), settings};
  // Before the call, which may disconnect the client.
  delete this;
  if (isRight) napi_call_function(env, undefined(env), callback, 3, arguments, nullptr);
}

}  // namespace typed_kafka
