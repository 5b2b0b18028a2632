// Hands many records to librdkafka in one call.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "clients.h"
#include "node.h"
#include "wake.h"

namespace typed_kafka {

/// One record to produce, as JavaScript writes it (src/driver/fast/fast-producer.ts): eight integers. Its key, value and
/// headers follow those of the record before it in the bytes beside the table; headers are as in a block (block.h).
struct Order {
  /// Comes back in the record's report. Odd: it is reported even where it was written.
  int32_t id;
  /// In bytes; -1 for null.
  int32_t keyLength;
  /// In bytes; -1 for null.
  int32_t valueLength;
  /// -1 leaves it to the partitioner.
  int32_t partition;
  /// In bytes; -1 for none.
  int32_t headersLength;
  /// Milliseconds since the epoch; both 0 leave it to librdkafka.
  uint32_t timestampLow;
  int32_t timestampHigh;
  int32_t unused;
};
static_assert(sizeof(Order) == 32, "JavaScript writes orders of eight integers");

/// What became of the records of one call.
struct Produced {
  /// How many were queued: the first ones.
  size_t queued = 0;
  /// Why the one behind them was refused; 0 where all were queued.
  rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
};

/// Made and used on JavaScript's thread. `release` must come before the binding disconnects, and `close` after it.
class Producer {
 public:
  /// `onReports()` is called when there are reports, which `takeReports` gives.
  Producer(napi_env env, std::shared_ptr<Client> client, napi_value onReports);
  ~Producer();
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;

  /// The number of a topic for `produce`. -1 where there can be no such topic, for the reason in `error`.
  int32_t topic(const std::string& name, std::string& error);

  /// Produces records of one topic in their order, up to the first that is refused; librdkafka copies the bytes. Those
  /// that were queued will be reported. `false`, with nothing produced, where the orders do not fit the bytes.
  bool produce(uint32_t topic, const Order* orders, size_t count, Arguments::Bytes bytes, Produced& produced);

  /// Moves what there is into `reports`, which must be empty.
  void takeReports(std::vector<Report>& reports) { client_->reports.take(reports); }

  /// Gives the topics back: nothing can be produced from here on. Twice is once.
  void release();

  /// Nothing is told any more. Twice is once.
  void close();

 private:
  struct Parts;
  rd_kafka_resp_err_t produceOne(rd_kafka_topic_t* topic, const Order& order, const Parts& parts);
  rd_kafka_resp_err_t produceAny(rd_kafka_topic_t* topic, const Order& order, const Parts& parts);

  const std::shared_ptr<Client> client_;
  std::vector<rd_kafka_topic_t*> topics_;  // references of ours, given back by `release`
  bool isReleased_ = false;
  std::unique_ptr<Wake> wake_;
};

}  // namespace typed_kafka
