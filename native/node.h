// Small helpers around Node-API. A failed call leaves a JavaScript exception, and what follows returns.
#pragma once

#ifndef NAPI_VERSION
#define NAPI_VERSION 8
#endif
#include <node_api.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace typed_kafka {

/// Whether a call succeeded; if not, an exception is pending.
bool check(napi_env env, napi_status status);

/// Throws an `Error` and returns null, for the value of a function.
napi_value fail(napi_env env, const std::string& message);

/// The arguments of a call. After one of a wrong type `ok()` is false and an exception is pending.
class Arguments {
 public:
  static constexpr size_t most = 5;

  Arguments(napi_env env, napi_callback_info info);
  bool ok() const { return ok_; }
  napi_value self() const { return self_; }
  napi_value value(size_t index) const { return values_[index]; }

  std::string text(size_t index);
  uint32_t number(size_t index);
  napi_value function(size_t index);
  napi_value array(size_t index);
  /// Memory of the caller's, valid until the call returns.
  struct Bytes {
    const uint8_t* data = nullptr;
    size_t size = 0;
  };
  /// Of a `Buffer` or another `Uint8Array`.
  Bytes bytes(size_t index);
  /// Of an `Int32Array`; `size` counts integers.
  struct Integers {
    const int32_t* data = nullptr;
    size_t size = 0;
  };
  Integers integers(size_t index);

 private:
  /// Notes whether the argument of this index is what it must be.
  void expect(size_t index, bool isRight);

  napi_env env_;
  napi_value self_ = nullptr;
  napi_value values_[most] = {};
  bool ok_ = false;
};

/// Whether the value is a string, which is then put into `text` as UTF-8.
bool readText(napi_env env, napi_value value, std::string& text);

napi_value toNumber(napi_env env, double value);
napi_value toText(napi_env env, const std::string& text);
napi_value undefined(napi_env env);

}  // namespace typed_kafka
