// Work that blocks, on one of libuv's threads.
#pragma once

#include <memory>
#include <vector>

#include "node.h"

namespace typed_kafka {

/// What is done there, and told to a callback once. Whatever it refers to must be valid until then.
class Job {
 public:
  virtual ~Job() = default;
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;

  /// Begins it. It is destroyed before the callback is called, which may close what it used, or with an exception where
  /// it cannot begin.
  static void begin(napi_env env, std::unique_ptr<Job> job, const char* name, napi_value onAnswer);

 protected:
  Job() = default;
  /// On libuv's thread: nothing of JavaScript may be used.
  virtual void work() = 0;
  /// What the callback is called with. With a null among it, it is not: there is an exception.
  virtual std::vector<napi_value> answer(napi_env env) = 0;

 private:
  void tell(napi_env env);

  napi_ref onAnswer_ = nullptr;     // deleted by `tell`
  napi_async_work work_ = nullptr;  // deleted by `tell`
};

}  // namespace typed_kafka
