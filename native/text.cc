#include "text.h"

#include <cstring>

namespace typed_kafka {

namespace {

/// The index of the first byte beyond ASCII, or `length`.
size_t asciiPrefix(const uint8_t* bytes, size_t length) {
  size_t i = 0;
  for (; i + 8 <= length; i += 8) {
    uint64_t word;
    memcpy(&word, bytes + i, 8);
    if ((word & 0x8080808080808080ull) != 0) break;
  }
  while (i < length && bytes[i] < 0x80) i++;
  return i;
}

/// The length of the character that begins here, 0 where it is no UTF-8 (the Unicode standard, table 3-7).
size_t characterLength(const uint8_t* bytes, size_t left) {
  const uint8_t first = bytes[0];
  if (first < 0x80) return 1;
  const auto continues = [&](size_t index, uint8_t low = 0x80, uint8_t high = 0xbf) {
    return index < left && bytes[index] >= low && bytes[index] <= high;
  };
  if (first >= 0xc2 && first <= 0xdf) return continues(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    // Neither a longer form than needed nor half of a surrogate pair.
    const uint8_t low = first == 0xe0 ? 0xa0 : 0x80, high = first == 0xed ? 0x9f : 0xbf;
    return continues(1, low, high) && continues(2) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    // Neither a longer form than needed nor beyond U+10FFFF.
    const uint8_t low = first == 0xf0 ? 0x90 : 0x80, high = first == 0xf4 ? 0x8f : 0xbf;
    return continues(1, low, high) && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

}  // namespace

Text textOf(const uint8_t* bytes, size_t length) {
  size_t i = asciiPrefix(bytes, length);
  if (i == length) return Text::ascii;
  while (i < length) {
    const size_t step = characterLength(bytes + i, length - i);
    if (step == 0) return Text::none;
    i += step;
    if (i < length && bytes[i] < 0x80) i += asciiPrefix(bytes + i, length - i);
  }
  return Text::utf8;
}

}  // namespace typed_kafka
