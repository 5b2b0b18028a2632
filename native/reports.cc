#include "reports.h"

namespace typed_kafka {

namespace {

thread_local bool isProducing = false;

}  // namespace

Producing::Producing() { isProducing = true; }
Producing::~Producing() { isProducing = false; }

void Reports::add(const rd_kafka_message_t* record) {
  const auto opaque = reinterpret_cast<uintptr_t>(record->_private);
  if ((opaque & 1) == 0 || isProducing) return;
  int32_t code = record->err;
  // With several errors in one batch there is no error here, even where the record was not written.
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR && rk.rd_kafka_message_status(record) == RD_KAFKA_MSG_STATUS_NOT_PERSISTED)
    code = RD_KAFKA_RESP_ERR_INVALID_RECORD;
  // It was sent, no answer came, and it waited to be sent again: "in queue" would say that no broker can have it.
  if (code == RD_KAFKA_RESP_ERR__PURGE_QUEUE && rk.rd_kafka_message_status(record) != RD_KAFKA_MSG_STATUS_NOT_PERSISTED)
    code = RD_KAFKA_RESP_ERR__PURGE_INFLIGHT;
  rd_kafka_timestamp_type_t type;
  const uintptr_t id = opaque >> 1;
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR && (id & 1) == 0) return;
  std::lock_guard<std::mutex> guard(mutex_);
  if (wake_ == nullptr) return;
  Report report;
  report.id = double(id);
  report.offset = double(record->offset);
  report.timestamp = code == RD_KAFKA_RESP_ERR_NO_ERROR ? double(rk.rd_kafka_message_timestamp(record, &type)) : -1;
  report.partition = record->partition;
  report.code = code;
  reports_.push_back(report);
  // Within the lock: after `unlisten` nobody rings any more.
  if (reports_.size() == 1) wake_->ring();
}

void Reports::listen(Wake* wake) {
  std::lock_guard<std::mutex> guard(mutex_);
  wake_ = wake;
}

void Reports::unlisten() {
  std::lock_guard<std::mutex> guard(mutex_);
  wake_ = nullptr;
  reports_.clear();
}

void Reports::take(std::vector<Report>& reports) {
  std::lock_guard<std::mutex> guard(mutex_);
  reports_.swap(reports);
}

}  // namespace typed_kafka
