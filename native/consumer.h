// Reads one consumer's queue on a thread of its own, and commits its offsets.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "block.h"
#include "clients.h"
#include "form.h"
#include "node.h"
#include "wake.h"

namespace typed_kafka {

/// Numbers the partitions that records came from, so that each is named to JavaScript only once.
class Partitions {
 public:
  struct Partition {
    int32_t index;
    std::string topic;
    int32_t number;
  };

  /// The index of a record's partition. A new one is added to `added`.
  int32_t indexOf(const rd_kafka_message_t* record, std::vector<Partition>& added);

 private:
  std::unordered_map<std::string, std::unordered_map<int32_t, int32_t>> indexes_;
  int32_t next_ = 0;
};

/// What one fetch got.
struct Fetched {
  /// An error that stood among the records.
  struct Error {
    int32_t code;
    /// -1 where it is of no partition.
    int32_t partition;
    /// -1 where there is none.
    int64_t offset;
    std::string text;
  };
  std::vector<Block> blocks;
  std::vector<Partitions::Partition> newPartitions;
  std::vector<Error> errors;
};

/// Made and used on JavaScript's thread; `run` is the other one. The binding's client must outlive the call of `close`.
class Consumer {
 public:
  /// `onFetched(blocks, newPartitions, errors)` is called once for each `fetch`: `[ArrayBuffer, count, …]`, `[index,
  /// topic, number, …]` and `[code, partition, offset, text, …]`, each `undefined` where there are none.
  /// `onCommitted(code)` is called once for each `commit`, in their order.
  Consumer(napi_env env, std::shared_ptr<Client> client, napi_value onFetched, napi_value onCommitted);
  ~Consumer();
  Consumer(const Consumer&) = delete;
  Consumer& operator=(const Consumer&) = delete;

  /// Why it could not be made; empty where it could.
  const std::string& problem() const { return problem_; }

  /// Asks for what there is, up to `count` records, without waiting for any. One at a time: `false` where the one
  /// before was not answered, or it is closed.
  bool fetch(uint32_t count);

  /// Commits the offsets, which stay the caller's. Returns an error code, or 0 where the outcome will be told.
  rd_kafka_resp_err_t commit(const rd_kafka_topic_partition_list_t* offsets);

  /// What the values of a partition look like (see form.h), beside the forms it had: the newest few are kept. Blocks that
  /// are packed from now on tell the scalars of such values. Without pieces, none is looked for any more.
  void addForm(uint32_t partition, Form form);

  /// Ends the thread and gives the queues back. Nothing is told any more. Twice is once.
  void close();

 private:
  void run();
  struct Request {
    uint32_t count;
    std::shared_ptr<const Forms> forms;
  };
  Request nextRequest();
  void read(const Request& request, Fetched& fetched);
  void tellFetched(napi_env env, napi_value callback);
  void tellCommitted(napi_env env, napi_value callback);
  static void onCommitEvent(rd_kafka_t*, void* self);

  const std::shared_ptr<Client> client_;
  std::string problem_;
  rd_kafka_queue_t* records_ = nullptr;  // a reference of this object, given back by `close`
  rd_kafka_queue_t* commits_ = nullptr;  // owned, destroyed by `close`
  std::unique_ptr<Wake> fetchedWake_;
  std::unique_ptr<Wake> committedWake_;

  std::mutex mutex_;
  std::condition_variable requested_;
  uint32_t wanted_ = 0;                // guarded by `mutex_`
  bool isClosed_ = false;              // guarded by `mutex_`
  bool isBusy_ = false;                // guarded by `mutex_`: a fetch was asked for and not answered
  std::shared_ptr<const Forms> forms_ = std::make_shared<Forms>();  // guarded by `mutex_`: replaced, never changed
  std::unique_ptr<Fetched> fetched_;   // guarded by `mutex_`: the answer, until JavaScript's thread takes it
  std::thread thread_;

  // Of the thread alone.
  std::vector<rd_kafka_message_t*> taken_;
  std::vector<int32_t> partitionOf_;
  Partitions partitions_;
};

}  // namespace typed_kafka
