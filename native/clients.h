// The native clients that the binding has made with this plugin, by the token that each was configured with.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "librdkafka.h"
#include "reports.h"

namespace typed_kafka {

struct Client {
  explicit Client(rd_kafka_t* ofBinding) : handle(ofBinding) {}
  /// The binding's; valid from when it has connected until it is told to disconnect.
  rd_kafka_t* const handle;
  /// Of a producer.
  Reports reports;
};

/// The only state of the process, beside the functions of `rk`. Safe from any thread.
class Clients {
 public:
  void add(const std::string& token, std::shared_ptr<Client> client);
  void remove(const Client* client);
  /// Null where there is none of this token.
  std::shared_ptr<Client> find(const std::string& token);

 private:
  std::mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<Client>> byToken_;
};

Clients& clients();

}  // namespace typed_kafka
