#include "consumer.h"

#include <algorithm>
#include <cstring>
#include <system_error>
#include <utility>

namespace typed_kafka {

namespace {

/// A fetch ends when it has so much, beyond the last records taken.
constexpr size_t enoughBytes = 4u << 20;
/// So many records are taken at a time at most: their sizes are known only then.
constexpr size_t mostAtATime = 128;
/// The first ones may be of any size: librdkafka takes records of up to 1,000,000,000 bytes.
constexpr size_t fewAtFirst = 2;
/// A block ends before the record that would make it larger: what a user keeps of it holds all of it in memory.
constexpr size_t mostBlockBytes = 4u << 20;

/// A value is compared with so many forms at most.
constexpr size_t mostForms = 4;

size_t sizeOf(const rd_kafka_message_t* record) { return record->len + record->key_len; }

}  // namespace

int32_t Partitions::indexOf(const rd_kafka_message_t* record, std::vector<Partition>& added) {
  const char* topic = rk.rd_kafka_topic_name(record->rkt);
  auto& byNumber = indexes_[topic];
  const auto known = byNumber.emplace(record->partition, next_);
  if (known.second) added.push_back({next_++, topic, record->partition});
  return known.first->second;
}

Consumer::Consumer(napi_env env, std::shared_ptr<Client> client, napi_value onFetched, napi_value onCommitted)
    : client_(std::move(client)) {
  records_ = rk.rd_kafka_queue_get_consumer(client_->handle);
  commits_ = rk.rd_kafka_queue_new(client_->handle);
  if (records_ == nullptr || commits_ == nullptr) {
    problem_ = "the client is no consumer";
    return;
  }
  fetchedWake_ = std::make_unique<Wake>(env, onFetched, "typed-kafka fetch",
                                        [this](napi_env at, napi_value callback) { tellFetched(at, callback); });
  committedWake_ = std::make_unique<Wake>(env, onCommitted, "typed-kafka commit",
                                          [this](napi_env at, napi_value callback) { tellCommitted(at, callback); });
  rk.rd_kafka_queue_cb_event_enable(commits_, onCommitEvent, this);
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error& error) {
    problem_ = std::string("a thread could not be started: ") + error.what();
  }
}

Consumer::~Consumer() { close(); }

bool Consumer::fetch(uint32_t count) {
  {
    std::lock_guard<std::mutex> guard(mutex_);
    if (isBusy_ || isClosed_) return false;
    isBusy_ = true;
    wanted_ = count;
  }
  requested_.notify_one();
  return true;
}

rd_kafka_resp_err_t Consumer::commit(const rd_kafka_topic_partition_list_t* offsets) {
  if (commits_ == nullptr) return RD_KAFKA_RESP_ERR__STATE;
  return rk.rd_kafka_commit_queue(client_->handle, offsets, commits_, nullptr, nullptr);
}

void Consumer::addForm(uint32_t partition, Form form) {
  std::lock_guard<std::mutex> guard(mutex_);
  auto all = std::make_shared<Forms>(*forms_);
  if (all->size() <= partition) all->resize(partition + 1);
  auto& known = (*all)[partition];
  auto forms = std::make_shared<std::vector<Form>>();
  if (!form.pieces.empty()) {
    forms->push_back(std::move(form));
    if (known != nullptr)
      forms->insert(forms->end(), known->begin(), known->begin() + std::min(known->size(), mostForms - 1));
  }
  known = std::move(forms);
  forms_ = std::move(all);
}

void Consumer::close() {
  {
    std::lock_guard<std::mutex> guard(mutex_);
    isClosed_ = true;
  }
  requested_.notify_one();
  if (thread_.joinable()) {
    rk.rd_kafka_queue_yield(records_);
    thread_.join();
  }
  if (commits_ != nullptr) {
    // From here on `onCommitEvent` is not called: it is called, and replaced, under the queue's lock.
    rk.rd_kafka_queue_cb_event_enable(commits_, nullptr, nullptr);
    rk.rd_kafka_queue_destroy(commits_);
    commits_ = nullptr;
  }
  if (records_ != nullptr) {
    rk.rd_kafka_queue_destroy(records_);
    records_ = nullptr;
  }
  if (fetchedWake_ != nullptr) fetchedWake_->close();
  if (committedWake_ != nullptr) committedWake_->close();
}

void Consumer::run() {
  for (Request request = nextRequest(); request.count > 0; request = nextRequest()) {
    auto fetched = std::make_unique<Fetched>();
    read(request, *fetched);
    {
      std::lock_guard<std::mutex> guard(mutex_);
      fetched_ = std::move(fetched);
    }
    fetchedWake_->ring();
  }
}

/// For none when it is closed.
Consumer::Request Consumer::nextRequest() {
  std::unique_lock<std::mutex> lock(mutex_);
  requested_.wait(lock, [this] { return isClosed_ || wanted_ > 0; });
  if (isClosed_) return {0, nullptr};
  return {std::exchange(wanted_, 0), forms_};
}

void Consumer::read(const Request& request, Fetched& fetched) {
  taken_.clear();
  partitionOf_.clear();
  size_t bytes = 0;
  const rd_kafka_message_t* last = nullptr;
  rd_kafka_message_t* some[mostAtATime];
  while (taken_.size() < request.count && bytes < enoughBytes) {
    // As many as are likely to be enough: it depends on the size of those before.
    const size_t likely =
        taken_.empty() ? fewAtFirst : 1 + (enoughBytes - bytes) / (1 + bytes / taken_.size());
    const size_t asked = std::min({size_t(request.count) - taken_.size(), likely, mostAtATime});
    const ssize_t got = rk.rd_kafka_consume_batch_queue(records_, 0, some, asked);
    if (got <= 0) break;
    for (ssize_t i = 0; i < got; i++) {
      auto* record = some[i];  // ours, destroyed below
      int32_t partition = -1;
      if (record->rkt != nullptr) {
        const bool isSame = last != nullptr && last->rkt == record->rkt && last->partition == record->partition;
        partition = isSame ? partitionOf_.back() : partitions_.indexOf(record, fetched.newPartitions);
      }
      if (record->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        const char* text = rk.rd_kafka_message_errstr(record);
        fetched.errors.push_back(
            {record->err, partition, record->offset < 0 ? -1 : record->offset, text == nullptr ? "" : text});
        rk.rd_kafka_message_destroy(record);
        continue;
      }
      bytes += sizeOf(record);
      taken_.push_back(record);
      partitionOf_.push_back(partition);
      last = record;
    }
    if (size_t(got) < asked) break;
  }
  for (size_t from = 0; from < taken_.size();) {
    size_t to = from, size = 0;
    do size += sizeOf(taken_[to++]);
    while (to < taken_.size() && size + sizeOf(taken_[to]) <= mostBlockBytes);
    fetched.blocks.push_back(pack(taken_, partitionOf_, *request.forms, from, to));
    from = to;
  }
  for (auto* record : taken_) rk.rd_kafka_message_destroy(record);
}

void Consumer::tellFetched(napi_env env, napi_value callback) {
  std::unique_ptr<Fetched> fetched;
  {
    std::lock_guard<std::mutex> guard(mutex_);
    fetched = std::move(fetched_);
    isBusy_ = false;
  }
  if (fetched == nullptr) return;
  napi_value arguments[3] = {undefined(env), undefined(env), undefined(env)};
  const auto put = [&](napi_value array, uint32_t& at, napi_value value) {
    return value != nullptr && check(env, napi_set_element(env, array, at++, value));
  };
  uint32_t at = 0;
  if (!fetched->blocks.empty()) {
    if (!check(env, napi_create_array(env, &arguments[0]))) return;
    for (auto& block : fetched->blocks) {
      void* data = nullptr;
      napi_value buffer = nullptr;
      // A copy: some runtimes forbid memory that is not their own, and it costs no more.
      if (!check(env, napi_create_arraybuffer(env, block.size, &data, &buffer))) return;
      memcpy(data, block.bytes.get(), block.size);
      block.bytes.reset();
      if (!put(arguments[0], at, buffer) || !put(arguments[0], at, toNumber(env, block.count))) return;
    }
  }
  at = 0;
  if (!fetched->newPartitions.empty()) {
    if (!check(env, napi_create_array(env, &arguments[1]))) return;
    for (const auto& [index, topic, number] : fetched->newPartitions)
      if (!put(arguments[1], at, toNumber(env, index)) || !put(arguments[1], at, toText(env, topic)) ||
          !put(arguments[1], at, toNumber(env, number)))
        return;
  }
  at = 0;
  if (!fetched->errors.empty()) {
    if (!check(env, napi_create_array(env, &arguments[2]))) return;
    for (const auto& [code, partition, offset, text] : fetched->errors)
      if (!put(arguments[2], at, toNumber(env, code)) || !put(arguments[2], at, toNumber(env, partition)) ||
          !put(arguments[2], at, toNumber(env, double(offset))) || !put(arguments[2], at, toText(env, text)))
        return;
  }
  napi_call_function(env, undefined(env), callback, 3, arguments, nullptr);
}

void Consumer::onCommitEvent(rd_kafka_t*, void* self) { static_cast<Consumer*>(self)->committedWake_->ring(); }

void Consumer::tellCommitted(napi_env env, napi_value callback) {
  // Whoever is called may close this.
  while (commits_ != nullptr) {
    rd_kafka_event_t* event = rk.rd_kafka_queue_poll(commits_, 0);
    if (event == nullptr) return;
    const bool isCommit = rk.rd_kafka_event_type(event) == RD_KAFKA_EVENT_OFFSET_COMMIT;
    const int32_t code = rk.rd_kafka_event_error(event);
    rk.rd_kafka_event_destroy(event);
    if (!isCommit) continue;
    napi_value argument = toNumber(env, code);
    if (argument == nullptr || napi_call_function(env, undefined(env), callback, 1, &argument, nullptr) != napi_ok)
      return;
  }
}

}  // namespace typed_kafka
