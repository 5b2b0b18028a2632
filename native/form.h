// The form of a JSON text is what stands between its scalars: {"id":1,"name":"Alice"} has the pieces {"id": and ,"name":
// and }. Values of one topic mostly have the form of the one before. For those JavaScript is told where each scalar is,
// and what integers are, and makes the value without parsing it.
//
// JavaScript finds the form of a text that it has parsed (src/driver/fast/json-forms.ts). So the text of a form is JSON
// wherever its scalars are; that is looked at here, or left to JavaScript (`Kind::text`).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace typed_kafka {

struct Form {
  /// What JavaScript calls it.
  int32_t number;
  /// One more than there are scalars.
  std::vector<std::string> pieces;
};

/// The forms of each partition's values, by the partitions' indexes; null or empty where there are none.
using Forms = std::vector<std::shared_ptr<const std::vector<Form>>>;

/// What a scalar is: the low four bits of its second integer. The others are `more`, the first integer is `at`.
enum class Kind : int32_t {
  /// A string of ASCII without escapes: `more` bytes from `at`.
  ascii = 0,
  /// A string without escapes: `more` bytes from `at`.
  utf8 = 1,
  /// The integer `at`.
  integer = 2,
  /// The integer `more` * 2^32 + `at`, which is unsigned.
  large = 3,
  /// The number `at` / 10^`more`.
  decimal = 4,
  isTrue = 5,
  isFalse = 6,
  null = 7,
  /// JSON of any other scalar, or what may be none: `more` bytes from `at`.
  text = 8,
};
constexpr int kindBits = 4;

/// Where a text has one of the forms: appends its number and two integers for each scalar, and returns true.
/// `text` is UTF-8. `start` is where it will lie: `at` counts from there.
bool findScalars(const std::vector<Form>& forms, const uint8_t* text, size_t length, size_t start,
                 std::vector<int32_t>& scalars);

}  // namespace typed_kafka
