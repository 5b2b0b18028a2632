#include "job.h"

#include <algorithm>
#include <utility>

namespace typed_kafka {

void Job::begin(napi_env env, std::unique_ptr<Job> job, const char* name, napi_value onAnswer) {
  const auto run = [](napi_env, void* self) { static_cast<Job*>(self)->work(); };
  const auto done = [](napi_env at, napi_status, void* self) { static_cast<Job*>(self)->tell(at); };
  if (check(env, napi_create_reference(env, onAnswer, 1, &job->onAnswer_)) &&
      check(env, napi_create_async_work(env, nullptr, toText(env, name), run, done, job.get(), &job->work_)) &&
      check(env, napi_queue_async_work(env, job->work_))) {
    job.release();  // `tell` takes it back
    return;
  }
  if (job->work_ != nullptr) napi_delete_async_work(env, job->work_);
  if (job->onAnswer_ != nullptr) napi_delete_reference(env, job->onAnswer_);
}

void Job::tell(napi_env env) {
  std::unique_ptr<Job> self(this);
  const auto arguments = answer(env);
  napi_value callback = nullptr;
  const bool isRight = std::find(arguments.begin(), arguments.end(), nullptr) == arguments.end() &&
                       check(env, napi_get_reference_value(env, onAnswer_, &callback));
  napi_delete_reference(env, onAnswer_);
  napi_delete_async_work(env, work_);
  self.reset();
  if (isRight) napi_call_function(env, undefined(env), callback, arguments.size(), arguments.data(), nullptr);
}

}  // namespace typed_kafka
