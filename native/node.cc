#include "node.h"

namespace typed_kafka {

bool check(napi_env env, napi_status status) {
  if (status == napi_ok) return true;
  bool isPending = false;
  napi_is_exception_pending(env, &isPending);
  if (isPending) return false;
  const napi_extended_error_info* info = nullptr;
  napi_get_last_error_info(env, &info);
  const char* message = info == nullptr ? nullptr : info->error_message;
  napi_throw_error(env, nullptr, message == nullptr ? "a call of Node-API failed" : message);
  return false;
}

napi_value fail(napi_env env, const std::string& message) {
  napi_throw_error(env, nullptr, message.c_str());
  return nullptr;
}

Arguments::Arguments(napi_env env, napi_callback_info info) : env_(env) {
  size_t count = most;
  // Those that were not given are `undefined`.
  ok_ = check(env, napi_get_cb_info(env, info, &count, values_, &self_, nullptr));
}

void Arguments::expect(size_t index, bool isRight) {
  if (isRight || !ok_) return;
  ok_ = false;
  napi_throw_type_error(env_, nullptr, ("argument " + std::to_string(index) + " is of a wrong type").c_str());
}

std::string Arguments::text(size_t index) {
  std::string text;
  expect(index, readText(env_, values_[index], text));
  return text;
}

uint32_t Arguments::number(size_t index) {
  uint32_t number = 0;
  expect(index, napi_get_value_uint32(env_, values_[index], &number) == napi_ok);
  return number;
}

napi_value Arguments::function(size_t index) {
  napi_valuetype type = napi_undefined;
  expect(index, napi_typeof(env_, values_[index], &type) == napi_ok && type == napi_function);
  return values_[index];
}

napi_value Arguments::array(size_t index) {
  bool is = false;
  expect(index, napi_is_array(env_, values_[index], &is) == napi_ok && is);
  return values_[index];
}

Arguments::Bytes Arguments::bytes(size_t index) {
  napi_typedarray_type type;
  size_t size = 0;
  void* data = nullptr;
  const auto status = napi_get_typedarray_info(env_, values_[index], &type, &size, &data, nullptr, nullptr);
  const bool isRight = status == napi_ok && type == napi_uint8_array;
  expect(index, isRight);
  return isRight ? Bytes{static_cast<const uint8_t*>(data), size} : Bytes{};
}

Arguments::Integers Arguments::integers(size_t index) {
  napi_typedarray_type type;
  size_t size = 0;
  void* data = nullptr;
  const auto status = napi_get_typedarray_info(env_, values_[index], &type, &size, &data, nullptr, nullptr);
  const bool isRight = status == napi_ok && type == napi_int32_array;
  expect(index, isRight);
  return isRight ? Integers{static_cast<const int32_t*>(data), size} : Integers{};
}

bool readText(napi_env env, napi_value value, std::string& text) {
  size_t size = 0;
  if (napi_get_value_string_utf8(env, value, nullptr, 0, &size) != napi_ok) return false;
  // With space for the NUL that is written behind the text, which would be cut off otherwise.
  text.resize(size + 1);
  const auto status = napi_get_value_string_utf8(env, value, &text[0], size + 1, &size);
  text.resize(size);
  return status == napi_ok;
}

napi_value toNumber(napi_env env, double value) {
  napi_value result = nullptr;
  check(env, napi_create_double(env, value, &result));
  return result;
}

napi_value toText(napi_env env, const std::string& text) {
  napi_value result = nullptr;
  check(env, napi_create_string_utf8(env, text.data(), text.size(), &result));
  return result;
}

napi_value undefined(napi_env env) {
  napi_value result = nullptr;
  check(env, napi_get_undefined(env, &result));
  return result;
}

}  // namespace typed_kafka
