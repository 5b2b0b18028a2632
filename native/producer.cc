#include "producer.h"

#include <algorithm>
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

Producer::Producer(napi_env env, std::shared_ptr<Client> client, bool failuresOnly, napi_value onReports)
    : client_(std::move(client)) {
  wake_ = std::make_unique<Wake>(env, onReports, "typed-kafka reports", [](napi_env at, napi_value callback) {
    napi_call_function(at, undefined(at), callback, 0, nullptr, nullptr);
  });
  client_->reports.listen(wake_.get(), failuresOnly);
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

bool Producer::produce(uint32_t topic, const Order* orders, size_t count, Arguments::Bytes bytes,
                       std::vector<int32_t>& codes) {
  size_t total = 0;
  for (size_t i = 0; i < count; i++)
    total += lengthOf(orders[i].keyLength) + lengthOf(orders[i].valueLength) + lengthOf(orders[i].headersLength);
  if (total > bytes.size) return false;
  codes.assign(count, RD_KAFKA_RESP_ERR__STATE);
  if (topic >= topics_.size()) return true;
  auto* const to = topics_[topic];
  const Producing producing;
  const uint8_t* at = bytes.data;
  bool isFull = false;
  size_t from = 0;  // of the records in `batch_`
  const auto produceBatch = [&] {
    if (batch_.empty()) return;
    rk.rd_kafka_produce_batch(to, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, batch_.data(), int(batch_.size()));
    for (size_t i = 0; i < batch_.size(); i++) {
      codes[from + i] = batch_[i].err;
      isFull = isFull || batch_[i].err == RD_KAFKA_RESP_ERR__QUEUE_FULL;
    }
    batch_.clear();
  };
  for (size_t i = 0; i < count && !isFull; i++) {
    const Order& order = orders[i];
    const Parts parts(at, order);
    at = parts.end;
    // A batch has neither headers nor timestamps, and leaks a record for a partition that there is not.
    if (order.partition < 0 && order.headersLength < 0 && timestampOf(order) == 0) {
      if (batch_.empty()) from = i;
      rd_kafka_message_t record{};
      record.payload = addressOf(parts.value, order.valueLength);
      record.len = lengthOf(order.valueLength);
      record.key = addressOf(parts.key, order.keyLength);
      record.key_len = lengthOf(order.keyLength);
      record._private = Reports::opaqueOf(uint32_t(order.id));
      batch_.push_back(record);
      continue;
    }
    produceBatch();
    if (isFull) break;
    codes[i] = produceOne(to, order, parts);
    isFull = codes[i] == RD_KAFKA_RESP_ERR__QUEUE_FULL;
  }
  if (!isFull) produceBatch();
  batch_.clear();
  if (!isFull) return true;
  const auto firstRefused = std::find(codes.begin(), codes.end(), RD_KAFKA_RESP_ERR__QUEUE_FULL);
  std::fill(firstRefused, codes.end(), RD_KAFKA_RESP_ERR__QUEUE_FULL);
  return true;
}

rd_kafka_resp_err_t Producer::produceOne(rd_kafka_topic_t* topic, const Order& order, const Parts& parts) {
  rd_kafka_headers_t* headers = nullptr;  // ours until librdkafka has taken the record
  rd_kafka_vu_t arguments[8];
  size_t count = 0;
  const auto next = [&](rd_kafka_vtype_t type) -> decltype(arguments[0].u)& {
    arguments[count].vtype = type;
    return arguments[count++].u;
  };
  next(RD_KAFKA_VTYPE_RKT).rkt = topic;
  next(RD_KAFKA_VTYPE_PARTITION).i32 = order.partition < 0 ? RD_KAFKA_PARTITION_UA : order.partition;
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
