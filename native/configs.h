// Asks brokers for settings: the one question of an admin client that the binding does not have.
#pragma once

#include <memory>
#include <string>

#include "clients.h"
#include "node.h"
#include "wake.h"

namespace typed_kafka {

/// One question. It owns itself from `ask` on, until it is answered. The binding's client must be connected as long.
class ConfigQuestion {
 public:
  /// Asks what a topic or a broker (`RD_KAFKA_RESOURCE_…`) of this name is configured with. `onAnswer(code, text,
  /// settings)` is called once: with 0, `undefined` and `[name, value, …]`, or with an error's code and text.
  static void ask(napi_env env, std::shared_ptr<Client> client, rd_kafka_ResourceType_t type, const std::string& name,
                  int timeoutMs, napi_value onAnswer);
  ~ConfigQuestion();
  ConfigQuestion(const ConfigQuestion&) = delete;
  ConfigQuestion& operator=(const ConfigQuestion&) = delete;

 private:
  explicit ConfigQuestion(std::shared_ptr<Client> client);
  static void onEvent(rd_kafka_t*, void* self);
  void tell(napi_env env, napi_value callback);

  std::shared_ptr<Client> client_;
  rd_kafka_queue_t* answers_;
  std::unique_ptr<Wake> wake_;
};

}  // namespace typed_kafka
