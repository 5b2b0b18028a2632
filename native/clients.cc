#include "clients.h"

#include <utility>

namespace typed_kafka {

void Clients::add(const std::string& token, std::shared_ptr<Client> client) {
  std::lock_guard<std::mutex> guard(mutex_);
  byToken_[token] = std::move(client);
}

void Clients::remove(const Client* client) {
  std::lock_guard<std::mutex> guard(mutex_);
  for (auto it = byToken_.begin(); it != byToken_.end(); ++it) {
    if (it->second.get() != client) continue;
    byToken_.erase(it);
    return;
  }
}

std::shared_ptr<Client> Clients::find(const std::string& token) {
  std::lock_guard<std::mutex> guard(mutex_);
  const auto found = byToken_.find(token);
  return found == byToken_.end() ? nullptr : found->second;
}

Clients& clients() {
  // Never destroyed: threads of librdkafka may outlive the static objects when the process exits.
  static auto& instance = *new Clients();
  return instance;
}

}  // namespace typed_kafka
