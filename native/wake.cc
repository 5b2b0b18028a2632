#include "wake.h"

#include <mutex>
#include <utility>

namespace typed_kafka {

struct Wake::State {
  std::mutex mutex;
  /// Null once it is closed, or Node has ended it.
  napi_threadsafe_function function = nullptr;
  /// Empty once it is closed; JavaScript's thread alone looks at it.
  OnWake onWake;

  static void onCall(napi_env env, napi_value callback, void* context, void*) {
    // Copies: what is called may close this.
    const auto state = *static_cast<std::shared_ptr<State>*>(context);
    const auto onWake = state->onWake;
    if (env != nullptr && onWake) onWake(env, callback);
  }

  static void onEnd(napi_env, void* data, void*) {
    const std::unique_ptr<std::shared_ptr<State>> state(static_cast<std::shared_ptr<State>*>(data));
    std::lock_guard<std::mutex> guard((*state)->mutex);
    (*state)->function = nullptr;
  }
};

Wake::Wake(napi_env env, napi_value callback, const char* name, OnWake onWake) : state_(std::make_shared<State>()) {
  napi_value resource;
  if (!check(env, napi_create_string_utf8(env, name, NAPI_AUTO_LENGTH, &resource))) return;
  // The threadsafe function's own share of the state, deleted by `onEnd`.
  auto* const shared = new std::shared_ptr<State>(state_);
  napi_threadsafe_function function;
  if (!check(env, napi_create_threadsafe_function(env, callback, nullptr, resource, 0, 1, shared, State::onEnd, shared,
                                                  State::onCall, &function))) {
    delete shared;
    return;
  }
  napi_unref_threadsafe_function(env, function);
  state_->onWake = std::move(onWake);
  std::lock_guard<std::mutex> guard(state_->mutex);
  state_->function = function;
}

void Wake::ring() {
  std::lock_guard<std::mutex> guard(state_->mutex);
  if (state_->function == nullptr) return;
  // Its queue has no limit, so that it never waits.
  const auto status = napi_call_threadsafe_function(state_->function, nullptr, napi_tsfn_nonblocking);
  // Node ends: it takes no more, and must not be asked again.
  if (status == napi_closing) state_->function = nullptr;
}

void Wake::close() {
  state_->onWake = nullptr;
  napi_threadsafe_function function;
  {
    std::lock_guard<std::mutex> guard(state_->mutex);
    function = std::exchange(state_->function, nullptr);
  }
  if (function != nullptr) napi_release_threadsafe_function(function, napi_tsfn_release);
}

}  // namespace typed_kafka
