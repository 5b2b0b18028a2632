// What kind of text bytes are: found out on the consumer's own thread, so that JavaScript need not look.
#pragma once

#include <cstddef>
#include <cstdint>

namespace typed_kafka {

enum class Text : int32_t {
  /// Bytes that are not UTF-8.
  none = 0,
  /// UTF-8 with at least one character beyond ASCII.
  utf8 = 1,
  /// ASCII alone: each byte is a character.
  ascii = 2,
};

Text textOf(const uint8_t* bytes, size_t length);

}  // namespace typed_kafka
