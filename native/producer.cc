#include "producer.h"

#include <cstring>

namespace typed_kafka {

namespace {

size_t lengthOf(int32_t length) { return length < 0 ? 0 : size_t(length); }

/// librdkafka takes a key or value without an address for null, even one without bytes.
void* addressOf(const uint8_t* bytes, int32_t length) {
  static uint8_t nothing = 0;
  if (length < 0) return nullptr;
  return length == 0 ? &nothing : const_cast<uint8_t*>(bytes);  // librdkafka copies, and changes nothing
}

int64_t timestampOf(const Order& order) {
  return int64_t(uint64_t(uint32_t(order.timestampHigh)) << 32 | order.timestampLow);
}

int32_t partitionOf(const Order& order) { return order.partition < 0 ? RD_KAFKA_PARTITION_UA : order.partition; }

/// Null where the bytes are no headers. The caller's, to destroy or to give away.
rd_kafka_headers_t* headersOf(const uint8_t* bytes, size_t size) {
  rd_kafka_headers_t* headers = rk.rd_kafka_headers_new(4);
  while (size > 0) {
    int32_t lengths[2];
    if (size < sizeof lengths) break;
    memcpy(lengths, bytes, sizeof lengths);
    const size_t whole = sizeof lengths + lengthOf(lengths[0]) + lengthOf(lengths[1]);
    if (lengths[0] < 0 || whole > size) break;
    const auto* const name = bytes + sizeof lengths;
    rk.rd_kafka_header_add(headers, reinterpret_cast<const char*>(name), lengths[0],
                           addressOf(name + lengths[0], lengths[1]), ssize_t(lengthOf(lengths[1])));
    bytes += whole;
    size -= whole;
  }
  if (size == 0) return headers;
  rk.rd_kafka_headers_destroy(headers);
  return nullptr;
}

}  // namespace

/// Where the parts of a record are, in the caller's bytes.
struct Producer::Parts {
  const uint8_t* key;
  const uint8_t* value;
  const uint8_t* headers;
  const uint8_t* end;

  Parts(const uint8_t* begin, const Order& order)
      : key(begin),
        value(key + lengthOf(order.keyLength)),
        headers(value + lengthOf(order.valueLength)),
        end(headers + lengthOf(order.headersLength)) {}
};

Producer::Producer(napi_env env, std::shared_ptr<Client> client, napi_value onReports)
    : client_(std::move(client)) {
  wake_ = std::make_unique<Wake>(env, onReports, "typed-kafka reports", [](napi_env at, napi_value callback) {
    napi_call_function(at, undefined(at), callback, 0, nullptr, nullptr);
  });
  client_->reports.listen(wake_.get());
}

Producer::~Producer() {
  release();
  close();
}

int32_t Producer::topic(const std::string& name, std::string& error) {
  if (isReleased_) return -1;
  auto* topic = rk.rd_kafka_topic_new(client_->handle, name.c_str(), nullptr);
  if (topic == nullptr) {
    error = rk.rd_kafka_err2str(rk.rd_kafka_last_error());
    return -1;
  }
  topics_.push_back(topic);
  return int32_t(topics_.size() - 1);
}

bool Producer::produce(uint32_t topic, const Order* orders, size_t count, Arguments::Bytes bytes, Produced& produced) {
  size_t total = 0;
  for (size_t i = 0; i < count; i++)
    total += lengthOf(orders[i].keyLength) + lengthOf(orders[i].valueLength) + lengthOf(orders[i].headersLength);
  if (total > bytes.size) return false;
  if (topic >= topics_.size()) {
    produced.code = RD_KAFKA_RESP_ERR__STATE;
    return true;
  }
  const Producing producing;
  const uint8_t* at = bytes.data;
  for (; produced.queued < count; produced.queued++) {
    const Order& order = orders[produced.queued];
    const Parts parts(at, order);
    produced.code = produceOne(topics_[topic], order, parts);
    if (produced.code != RD_KAFKA_RESP_ERR_NO_ERROR) return true;
    at = parts.end;
  }
  return true;
}

rd_kafka_resp_err_t Producer::produceOne(rd_kafka_topic_t* topic, const Order& order, const Parts& parts) {
  // Not `rd_kafka_produce_batch`: it goes on behind a record that it refuses, and leaks one for a partition that there is
  // not.
  const bool isPlain = order.headersLength < 0 && timestampOf(order) == 0;
  if (isPlain && rk.rd_kafka_produce(topic, partitionOf(order), RD_KAFKA_MSG_F_COPY,
                                     addressOf(parts.value, order.valueLength), lengthOf(order.valueLength),
                                     addressOf(parts.key, order.keyLength), lengthOf(order.keyLength),
                                     Reports::opaqueOf(uint32_t(order.id))) == 0)
    return RD_KAFKA_RESP_ERR_NO_ERROR;
  // It does not always say why it refuses a record.
  return produceAny(topic, order, parts);
}

rd_kafka_resp_err_t Producer::produceAny(rd_kafka_topic_t* topic, const Order& order, const Parts& parts) {
  rd_kafka_headers_t* headers = nullptr;  // ours until librdkafka has taken the record
  rd_kafka_vu_t arguments[8];
  size_t count = 0;
  const auto next = [&](rd_kafka_vtype_t type) -> decltype(arguments[0].u)& {
    arguments[count].vtype = type;
    return arguments[count++].u;
  };
  next(RD_KAFKA_VTYPE_RKT).rkt = topic;
  next(RD_KAFKA_VTYPE_PARTITION).i32 = partitionOf(order);
  next(RD_KAFKA_VTYPE_MSGFLAGS).i = RD_KAFKA_MSG_F_COPY;
  next(RD_KAFKA_VTYPE_OPAQUE).ptr = Reports::opaqueOf(uint32_t(order.id));
  next(RD_KAFKA_VTYPE_KEY).mem = {addressOf(parts.key, order.keyLength), lengthOf(order.keyLength)};
  next(RD_KAFKA_VTYPE_VALUE).mem = {addressOf(parts.value, order.valueLength), lengthOf(order.valueLength)};
  if (timestampOf(order) != 0) next(RD_KAFKA_VTYPE_TIMESTAMP).i64 = timestampOf(order);
  if (order.headersLength >= 0) {
    headers = headersOf(parts.headers, size_t(order.headersLength));
    if (headers == nullptr) return RD_KAFKA_RESP_ERR__INVALID_ARG;
    next(RD_KAFKA_VTYPE_HEADERS).headers = headers;
  }
  rd_kafka_error_t* error = rk.rd_kafka_produceva(client_->handle, arguments, count);
  if (error == nullptr) return RD_KAFKA_RESP_ERR_NO_ERROR;
  const auto code = rk.rd_kafka_error_code(error);
  rk.rd_kafka_error_destroy(error);
  if (headers != nullptr) rk.rd_kafka_headers_destroy(headers);
  return code;
}

void Producer::release() {
  isReleased_ = true;
  for (auto* topic : topics_) rk.rd_kafka_topic_destroy(topic);
  topics_.clear();
}

void Producer::close() {
  client_->reports.unlisten();
  wake_->close();
}

}  // namespace typed_kafka
