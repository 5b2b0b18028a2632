#include "form.h"

#include <cstring>

namespace typed_kafka {

namespace {

/// Reads the scalars of one text.
class Reader {
 public:
  Reader(const uint8_t* text, size_t length, size_t start, std::vector<int32_t>& scalars)
      : text_(text), length_(length), start_(start), scalars_(scalars) {}

  bool isAtEnd() const { return at_ == length_; }

  bool skip(const std::string& piece) { return skip(piece.data(), piece.size()); }

  bool readScalar() {
    if (at_ == length_) return false;
    switch (text_[at_]) {
      case '"':
        return readString();
      case 't':
        return readWord("true", Kind::isTrue);
      case 'f':
        return readWord("false", Kind::isFalse);
      case 'n':
        return readWord("null", Kind::null);
      default:
        return readNumber();
    }
  }

 private:
  void add(Kind kind, int32_t at, size_t more) {
    scalars_.push_back(at);
    scalars_.push_back(int32_t(more << kindBits) | int32_t(kind));
  }

  void addBytes(Kind kind, size_t from, size_t to) { add(kind, int32_t(start_ + from), to - from); }

  bool skip(const char* bytes, size_t size) {
    if (length_ - at_ < size || memcmp(text_ + at_, bytes, size) != 0) return false;
    at_ += size;
    return true;
  }

  bool readWord(const char* word, Kind kind) {
    if (!skip(word, strlen(word))) return false;
    add(kind, 0, 0);
    return true;
  }

  bool readString() {
    const size_t from = at_ + 1;
    bool isAscii = true, isPlain = true;
    size_t i = plainPrefix(from);
    for (; i < length_ && text_[i] != '"'; i++) {
      if (text_[i] < 0x20) return false;
      if (text_[i] >= 0x80) isAscii = false;
      if (text_[i] != '\\') continue;
      isPlain = false;
      i++;  // whatever it is, it does not end the string
    }
    if (i >= length_) return false;
    at_ = i + 1;
    if (!isPlain) addBytes(Kind::text, from - 1, at_);
    else addBytes(isAscii ? Kind::ascii : Kind::utf8, from, i);
    return true;
  }

  /// Where the first byte of eight is that may not simply be passed over.
  size_t plainPrefix(size_t from) const {
    constexpr uint64_t ones = ~uint64_t(0) / 255, tops = ones * 0x80;
    const auto hasZero = [](uint64_t word) { return (word - ones) & ~word & tops; };
    size_t i = from;
    for (; i + 8 <= length_; i += 8) {
      uint64_t word;
      memcpy(&word, text_ + i, 8);
      const uint64_t isControl = (word - ones * 0x20) & ~word & tops;
      if ((isControl | hasZero(word ^ ones * '"') | hasZero(word ^ ones * '\\') | (word & tops)) != 0) break;
    }
    return i;
  }

  bool readNumber() {
    const size_t from = at_;
    const bool isNegative = text_[at_] == '-';
    size_t i = from + (isNegative ? 1 : 0);
    const size_t first = i;
    uint64_t value = 0;
    size_t digits = 0, decimals = 0;
    const auto readDigits = [&] {
      const size_t begin = i;
      // So many that `value` cannot overflow. Numbers with more are told as text.
      for (; i < length_ && isDigit(text_[i]) && digits < mostDigits; i++, digits++) value = value * 10 + (text_[i] - '0');
      return i - begin;
    };
    const size_t whole = readDigits();
    if (i < length_ && text_[i] == '.') {
      i++;
      decimals = readDigits();
      if (decimals == 0) return readOther(from, i);
    }
    const bool hasMore = i < length_ && isOfNumber(text_[i]);
    const bool isZeroLed = whole > 1 && text_[first] == '0';
    if (whole == 0 || hasMore || isZeroLed || (isNegative && value == 0)) return readOther(from, i);
    if (value <= INT32_MAX) {
      const int32_t small = isNegative ? -int32_t(value) : int32_t(value);
      add(decimals == 0 ? Kind::integer : Kind::decimal, small, decimals);
    } else if (decimals == 0 && !isNegative) {
      add(Kind::large, int32_t(uint32_t(value)), size_t(value >> 32));
    } else {
      return readOther(from, i);
    }
    at_ = i;
    return true;
  }

  /// Whether it is a number is for JavaScript to say.
  bool readOther(size_t from, size_t i) {
    while (i < length_ && isOfNumber(text_[i])) i++;
    if (i == from) return false;
    at_ = i;
    addBytes(Kind::text, from, i);
    return true;
  }

  /// Below 2^53 with all of them, and 10 to their number is a double of its own.
  static constexpr size_t mostDigits = 15;
  static bool isDigit(uint8_t byte) { return byte >= '0' && byte <= '9'; }
  static bool isOfNumber(uint8_t byte) {
    return isDigit(byte) || byte == '.' || byte == 'e' || byte == 'E' || byte == '+' || byte == '-';
  }

  const uint8_t* const text_;  // the caller's
  const size_t length_;
  const size_t start_;
  std::vector<int32_t>& scalars_;  // the caller's
  size_t at_ = 0;
};

bool hasForm(const Form& form, Reader reader) {
  for (size_t i = 0; i + 1 < form.pieces.size(); i++)
    if (!reader.skip(form.pieces[i]) || !reader.readScalar()) return false;
  return reader.skip(form.pieces.back()) && reader.isAtEnd();
}

}  // namespace

bool findScalars(const std::vector<Form>& forms, const uint8_t* text, size_t length, size_t start,
                 std::vector<int32_t>& scalars) {
  const size_t before = scalars.size();
  for (const auto& form : forms) {
    scalars.push_back(form.number);
    if (hasForm(form, Reader(text, length, start, scalars))) return true;
    scalars.resize(before);
  }
  return false;
}

}  // namespace typed_kafka
