// What became of the records of one producer: collected from librdkafka's threads, told to JavaScript in bursts.
#pragma once

#include <cstdint>
#include <mutex>
#include <vector>

#include "librdkafka.h"
#include "wake.h"

namespace typed_kafka {

/// One record's report as JavaScript reads it (src/driver/fast/fast-producer.ts): three doubles and two integers.
struct Report {
  /// The number that the record was produced with: `Order::id`.
  double id;
  /// -1 where it is not known.
  double offset;
  /// Milliseconds since the epoch, -1 where it is not known.
  double timestamp;
  int32_t partition;
  /// 0 where the record was written, else Kafka's error code.
  int32_t code;
};
static_assert(sizeof(Report) == 32, "JavaScript reads reports of 32 bytes");

class Reports {
 public:
  /// A record's opaque pointer: no address, and not to be taken for one of the binding's, which are even. With an odd
  /// id it is also told that the record was written, else only that it was not.
  static void* opaqueOf(uint32_t id) { return reinterpret_cast<void*>(uintptr_t(id) << 1 | 1); }

  /// Called by librdkafka for each record, from any of its threads. The record stays librdkafka's.
  void add(const rd_kafka_message_t* record);

  /// From now on `wake` is rung when there are reports. It must stay valid until `unlisten` has returned.
  void listen(Wake* wake);
  void unlisten();

  /// Moves what there is into `reports`, which must be empty; its memory is used for the next ones.
  void take(std::vector<Report>& reports);

 private:
  std::mutex mutex_;
  std::vector<Report> reports_;
  Wake* wake_ = nullptr;  // not owned
};

/// While one of these lives, this thread is handing records to librdkafka, which reports those that it refuses at
/// once: as the call's result, too, so that the report is not wanted.
class Producing {
 public:
  Producing();
  ~Producing();
  Producing(const Producing&) = delete;
  Producing& operator=(const Producing&) = delete;
};

}  // namespace typed_kafka
