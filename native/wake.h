// Wakes JavaScript's thread from any other.
#pragma once

#include <functional>
#include <memory>

#include "node.h"

namespace typed_kafka {

/// Does not keep the process alive. Made and closed on JavaScript's thread, rung from any.
class Wake {
 public:
  /// Some time after `ring`, `onWake` is called on JavaScript's thread with the environment and `callback`; once for
  /// several, perhaps. Not after `close`, nor while the environment is being torn down.
  using OnWake = std::function<void(napi_env, napi_value callback)>;

  /// Leaves a JavaScript exception and an inert object where it fails.
  Wake(napi_env env, napi_value callback, const char* name, OnWake onWake);
  ~Wake() { close(); }
  Wake(const Wake&) = delete;
  Wake& operator=(const Wake&) = delete;

  void ring();
  void close();

 private:
  struct State;
  // Shared with the threadsafe function, which Node ends in its own time.
  std::shared_ptr<State> state_;
};

}  // namespace typed_kafka
