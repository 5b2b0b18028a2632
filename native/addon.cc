// What JavaScript sees (src/driver/fast/addon.ts declares it): the classes `Consumer` and `Producer`, `status` and
// `interfaceVersion`.
#include <cstring>
#include <iterator>
#include <memory>
#include <utility>

#include "clients.h"
#include "configs.h"
#include "consumer.h"
#include "groups.h"
#include "leaders.h"
#include "librdkafka.h"
#include "node.h"
#include "offsets.h"
#include "producer.h"

namespace typed_kafka {

namespace {

/// Raised whenever JavaScript and this file would no longer understand each other (src/driver/fast/addon.ts).
constexpr int interfaceVersion = 4;

/// Ties a C++ object to the JavaScript object that is being constructed, which owns it from here on.
template <typename Object>
napi_value own(napi_env env, napi_value self, std::unique_ptr<Object> object) {
  bool isPending = false;
  napi_is_exception_pending(env, &isPending);
  if (isPending) return nullptr;
  const auto destroy = [](napi_env, void* data, void*) { delete static_cast<Object*>(data); };
  if (!check(env, napi_wrap(env, self, object.get(), destroy, nullptr, nullptr))) return nullptr;
  object.release();
  return self;
}

/// The C++ object behind `this`; null, with an exception, where it is none of ours.
template <typename Object>
Object* objectOf(napi_env env, napi_value self) {
  void* data = nullptr;
  return check(env, napi_unwrap(env, self, &data)) ? static_cast<Object*>(data) : nullptr;
}

std::shared_ptr<Client> clientOf(napi_env env, const std::string& token) {
  auto client = clients().find(token);
  if (client == nullptr) fail(env, "there is no native client of this token");
  return client;
}

/// new Consumer(token, onFetched, onCommitted)
napi_value newConsumer(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const auto token = arguments.text(0);
  const auto onFetched = arguments.function(1), onCommitted = arguments.function(2);
  auto client = arguments.ok() ? clientOf(env, token) : nullptr;
  if (client == nullptr) return nullptr;
  auto consumer = std::make_unique<Consumer>(env, std::move(client), onFetched, onCommitted);
  if (!consumer->problem().empty()) return fail(env, consumer->problem());
  return own(env, arguments.self(), std::move(consumer));
}

/// fetch(count): boolean
napi_value fetch(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const uint32_t count = arguments.number(0);
  auto* const consumer = arguments.ok() ? objectOf<Consumer>(env, arguments.self()) : nullptr;
  if (consumer == nullptr) return nullptr;
  napi_value result = nullptr;
  check(env, napi_get_boolean(env, consumer->fetch(count), &result));
  return result;
}

/// commit([topic, partition, offset, …]): code
napi_value commit(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const auto array = arguments.array(0);
  auto* const consumer = arguments.ok() ? objectOf<Consumer>(env, arguments.self()) : nullptr;
  if (consumer == nullptr) return nullptr;
  const auto offsets = readOffsets(env, array, false);
  return offsets == nullptr ? nullptr : toNumber(env, consumer->commit(offsets.get()));
}

/// addForm(partition's index, number, [piece, …])
napi_value addForm(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const uint32_t partition = arguments.number(0);
  Form form{int32_t(arguments.number(1)), {}};
  const auto pieces = arguments.array(2);
  auto* const consumer = arguments.ok() ? objectOf<Consumer>(env, arguments.self()) : nullptr;
  uint32_t length = 0;
  if (consumer == nullptr || !check(env, napi_get_array_length(env, pieces, &length))) return nullptr;
  for (uint32_t i = 0; i < length; i++) {
    napi_value piece = nullptr;
    if (!check(env, napi_get_element(env, pieces, i, &piece))) return nullptr;
    if (!readText(env, piece, form.pieces.emplace_back())) return fail(env, "expected an array of texts");
  }
  consumer->addForm(partition, std::move(form));
  return nullptr;
}

/// close()
napi_value closeConsumer(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  auto* const consumer = arguments.ok() ? objectOf<Consumer>(env, arguments.self()) : nullptr;
  if (consumer != nullptr) consumer->close();
  return nullptr;
}

/// new Producer(token, onReports)
napi_value newProducer(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const auto token = arguments.text(0);
  const auto onReports = arguments.function(1);
  auto client = arguments.ok() ? clientOf(env, token) : nullptr;
  if (client == nullptr) return nullptr;
  return own(env, arguments.self(), std::make_unique<Producer>(env, std::move(client), onReports));
}

/// topic(name): number
napi_value topic(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const auto name = arguments.text(0);
  auto* const producer = arguments.ok() ? objectOf<Producer>(env, arguments.self()) : nullptr;
  if (producer == nullptr) return nullptr;
  std::string error = "the producer is closed";
  const int32_t index = producer->topic(name, error);
  return index < 0 ? fail(env, error) : toNumber(env, index);
}

/// produce(topic, orders: Int32Array, count, bytes: Buffer): [queued, code], or undefined where all were queued
napi_value produce(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const uint32_t to = arguments.number(0);
  const auto orders = arguments.integers(1);
  const uint32_t count = arguments.number(2);
  const auto bytes = arguments.bytes(3);
  auto* const producer = arguments.ok() ? objectOf<Producer>(env, arguments.self()) : nullptr;
  if (producer == nullptr) return nullptr;
  const bool fits = size_t(count) * sizeof(Order) <= orders.size * sizeof(int32_t);
  Produced produced;
  if (!fits || !producer->produce(to, reinterpret_cast<const Order*>(orders.data), count, bytes, produced))
    return fail(env, "the orders do not fit");
  if (produced.code == RD_KAFKA_RESP_ERR_NO_ERROR) return undefined(env);
  napi_value result = nullptr;
  if (!check(env, napi_create_array_with_length(env, 2, &result)) ||
      !check(env, napi_set_element(env, result, 0, toNumber(env, double(produced.queued)))) ||
      !check(env, napi_set_element(env, result, 1, toNumber(env, produced.code))))
    return nullptr;
  return result;
}

/// takeReports(): ArrayBuffer of `Report`s, or undefined where there are none
napi_value takeReports(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  auto* const producer = arguments.ok() ? objectOf<Producer>(env, arguments.self()) : nullptr;
  if (producer == nullptr) return nullptr;
  std::vector<Report> reports;
  producer->takeReports(reports);
  if (reports.empty()) return undefined(env);
  void* data = nullptr;
  napi_value result = nullptr;
  const size_t size = reports.size() * sizeof(Report);
  if (!check(env, napi_create_arraybuffer(env, size, &data, &result))) return nullptr;
  memcpy(data, reports.data(), size);
  return result;
}

/// release()
napi_value releaseProducer(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  auto* const producer = arguments.ok() ? objectOf<Producer>(env, arguments.self()) : nullptr;
  if (producer != nullptr) producer->release();
  return nullptr;
}

/// close()
napi_value closeProducer(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  auto* const producer = arguments.ok() ? objectOf<Producer>(env, arguments.self()) : nullptr;
  if (producer != nullptr) producer->close();
  return nullptr;
}

/// describeConfigs(token, resourceType, name, timeoutMs, onAnswer)
napi_value describeConfigs(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const auto token = arguments.text(0);
  const auto type = rd_kafka_ResourceType_t(arguments.number(1));
  const auto name = arguments.text(2);
  const uint32_t timeoutMs = arguments.number(3);
  const auto onAnswer = arguments.function(4);
  auto client = arguments.ok() ? clientOf(env, token) : nullptr;
  if (client != nullptr) ConfigQuestion::ask(env, std::move(client), type, name, int(timeoutMs), onAnswer);
  return nullptr;
}

/// askGroup(token, groupId, timeoutMs, onAnswer)
napi_value askGroup(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const auto token = arguments.text(0);
  const auto groupId = arguments.text(1);
  const uint32_t timeoutMs = arguments.number(2);
  const auto onAnswer = arguments.function(3);
  auto client = arguments.ok() ? clientOf(env, token) : nullptr;
  if (client == nullptr) return nullptr;
  auto question = std::make_unique<GroupQuestion>(std::move(client), groupId, int(timeoutMs));
  Job::begin(env, std::move(question), "typed-kafka group", onAnswer);
  return nullptr;
}

/// askLeaders(token, topic, partitions, timeoutMs, onAnswer)
napi_value askLeaders(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const auto token = arguments.text(0);
  const auto name = arguments.text(1);
  const uint32_t partitions = arguments.number(2), timeoutMs = arguments.number(3);
  const auto onAnswer = arguments.function(4);
  auto client = arguments.ok() ? clientOf(env, token) : nullptr;
  if (client == nullptr) return nullptr;
  auto question = std::make_unique<LeaderQuestion>(std::move(client), name, int32_t(partitions), int(timeoutMs));
  Job::begin(env, std::move(question), "typed-kafka leaders", onAnswer);
  return nullptr;
}

/// sendOffsets(token, consumer's token, [topic, partition, offset, metadata, …], timeoutMs, onAnswer)
napi_value sendOffsets(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const auto token = arguments.text(0), consumerToken = arguments.text(1);
  const auto array = arguments.array(2);
  const uint32_t timeoutMs = arguments.number(3);
  const auto onAnswer = arguments.function(4);
  auto producer = arguments.ok() ? clientOf(env, token) : nullptr;
  auto consumer = producer != nullptr ? clientOf(env, consumerToken) : nullptr;
  auto offsets = consumer != nullptr ? readOffsets(env, array, true) : nullptr;
  if (offsets == nullptr) return nullptr;
  auto job = std::make_unique<OffsetsOfTransaction>(std::move(producer), std::move(consumer), std::move(offsets),
                                                    int(timeoutMs));
  Job::begin(env, std::move(job), "typed-kafka offsets", onAnswer);
  return nullptr;
}

/// createMockTopic(token, name, partitions, replicas): code. Of the client that has the mock cluster.
napi_value createMockTopic(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const auto token = arguments.text(0);
  const auto name = arguments.text(1);
  const uint32_t partitions = arguments.number(2), replicas = arguments.number(3);
  const auto client = arguments.ok() ? clientOf(env, token) : nullptr;
  if (client == nullptr) return nullptr;
  auto* const cluster = rk.rd_kafka_handle_mock_cluster(client->handle);
  if (cluster == nullptr) return fail(env, "this client has no mock cluster");
  return toNumber(env, rk.rd_kafka_mock_topic_create(cluster, name.c_str(), int(partitions), int(replicas)));
}

/// status(): the version of librdkafka, once a client was configured with this plugin; undefined before
napi_value status(napi_env env, napi_callback_info) {
  return isFound() ? toText(env, rk.rd_kafka_version_str()) : undefined(env);
}

napi_property_descriptor method(const char* name, napi_callback call) {
  return {name, nullptr, call, nullptr, nullptr, nullptr, napi_default_method, nullptr};
}

template <size_t count>
bool exportClass(napi_env env, napi_value exports, const char* name, napi_callback constructor,
                 const napi_property_descriptor (&methods)[count]) {
  napi_value type;
  return check(env, napi_define_class(env, name, NAPI_AUTO_LENGTH, constructor, nullptr, count, methods, &type)) &&
         check(env, napi_set_named_property(env, exports, name, type));
}

napi_value exportAll(napi_env env, napi_value exports) {
  const napi_property_descriptor ofConsumer[] = {method("fetch", fetch), method("commit", commit),
                                                 method("addForm", addForm), method("close", closeConsumer)};
  const napi_property_descriptor ofProducer[] = {method("topic", topic), method("produce", produce),
                                                 method("takeReports", takeReports),
                                                 method("release", releaseProducer), method("close", closeProducer)};
  const napi_property_descriptor functions[] = {method("status", status), method("describeConfigs", describeConfigs),
                                                 method("askGroup", askGroup),
                                                 method("askLeaders", askLeaders),
                                                 method("sendOffsets", sendOffsets),
                                                 method("createMockTopic", createMockTopic)};
  if (!exportClass(env, exports, "Consumer", newConsumer, ofConsumer) ||
      !exportClass(env, exports, "Producer", newProducer, ofProducer) ||
      !check(env, napi_define_properties(env, exports, std::size(functions), functions)) ||
      !check(env, napi_set_named_property(env, exports, "interfaceVersion", toNumber(env, interfaceVersion))))
    return nullptr;
  return exports;
}

}  // namespace

}  // namespace typed_kafka

NAPI_MODULE_INIT() { return typed_kafka::exportAll(env, exports); }
