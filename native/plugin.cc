// The librdkafka plugin: how the addon gets to know the native clients that the binding makes. A client of this
// library is configured with `plugin.library.paths`, this file, and with `typedkafka.client`, its token.
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

#include "clients.h"
#include "librdkafka.h"

#ifdef _WIN32
#define TYPED_KAFKA_EXPORT extern "C" __declspec(dllexport)
#else
#define TYPED_KAFKA_EXPORT extern "C" __attribute__((visibility("default")))
#endif

#ifdef _MSC_VER
#include <intrin.h>
#define TYPED_KAFKA_CALLER _ReturnAddress()
#else
#define TYPED_KAFKA_CALLER __builtin_return_address(0)
#endif

namespace typed_kafka {

namespace {

constexpr char interceptor[] = "typed-kafka";
constexpr char tokenProperty[] = "typedkafka.client";

/// What belongs to one configuration: each copy of a configuration, too, has one of its own. It lives as long as the
/// configuration, which is as long as the client made of it: until all threads of that have ended.
struct Configuration {
  std::string token;
  std::shared_ptr<Client> client;
};

rd_kafka_resp_err_t onAcknowledgement(rd_kafka_t*, rd_kafka_message_t* record, void* client) {
  static_cast<Client*>(client)->reports.add(record);
  return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/// Reports may still come after it.
rd_kafka_resp_err_t onDestroy(rd_kafka_t*, void* client) {
  clients().remove(static_cast<Client*>(client));
  return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t onNew(rd_kafka_t* handle, const rd_kafka_conf_t*, void* opaque, char*, size_t) {
  auto* configuration = static_cast<Configuration*>(opaque);
  if (configuration->token.empty()) return RD_KAFKA_RESP_ERR_NO_ERROR;
  configuration->client = std::make_shared<Client>(handle);
  auto* client = configuration->client.get();  // outlived by `configuration`
  if (rk.rd_kafka_type(handle) == RD_KAFKA_PRODUCER) {
    const auto error =
        rk.rd_kafka_interceptor_add_on_acknowledgement(handle, interceptor, onAcknowledgement, client);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return error;
  }
  const auto error = rk.rd_kafka_interceptor_add_on_destroy(handle, interceptor, onDestroy, client);
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) clients().add(configuration->token, configuration->client);
  return error;
}

rd_kafka_conf_res_t onSet(rd_kafka_conf_t*, const char* name, const char* value, char*, size_t, void* opaque) {
  if (strcmp(name, tokenProperty) != 0) return RD_KAFKA_CONF_UNKNOWN;
  static_cast<Configuration*>(opaque)->token = value == nullptr ? "" : value;
  return RD_KAFKA_CONF_OK;
}

rd_kafka_resp_err_t onConfigurationDestroy(void* opaque) {
  delete static_cast<Configuration*>(opaque);
  return RD_KAFKA_RESP_ERR_NO_ERROR;
}

}  // namespace

}  // namespace typed_kafka

/// Called by librdkafka for each configuration that names this file, and for each copy of one.
TYPED_KAFKA_EXPORT rd_kafka_resp_err_t conf_init(rd_kafka_conf_t* conf, void**, char* errstr, size_t errstrSize) {
  using namespace typed_kafka;
  const std::string& problem = find(TYPED_KAFKA_CALLER);
  if (!problem.empty()) {
    snprintf(errstr, errstrSize, "%s", problem.c_str());
    return RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED;
  }
  auto configuration = std::make_unique<Configuration>();
  // First of all, because the configuration owns what is given to the others.
  auto error =
      rk.rd_kafka_conf_interceptor_add_on_conf_destroy(conf, interceptor, onConfigurationDestroy, configuration.get());
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return error;
  auto* given = configuration.release();  // the configuration's from here on
  error = rk.rd_kafka_conf_interceptor_add_on_conf_set(conf, interceptor, onSet, given);
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR)
    error = rk.rd_kafka_conf_interceptor_add_on_new(conf, interceptor, onNew, given);
  return error;
}
