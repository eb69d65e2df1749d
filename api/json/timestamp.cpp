#include "api/json/timestamp.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <limits>

namespace stele::api {

namespace {

constexpr std::int64_t kSecond = 1'000'000;
constexpr std::int64_t kDay = 86'400 * kSecond;

constexpr std::int64_t days_of(int year, unsigned month, unsigned day) {
  using namespace std::chrono;
  return sys_days{std::chrono::year{year} / std::chrono::month{month} / std::chrono::day{day}}
      .time_since_epoch()
      .count();
}

constexpr std::int64_t kFirst = days_of(0, 1, 1) * kDay;
constexpr std::int64_t kLast = (days_of(9999, 12, 31) + 1) * kDay - 1;

/// Takes fixed-width pieces off the front of a text; any miss makes the whole parse fail.
class TakeMode {
 public:
  explicit TakeMode(std::string_view text) : text_(text) {}

  int digits(std::size_t count) {
    if (text_.size() < count) return fail();
    int value = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const char c = text_[i];
      if (c < '0' || c > '9') return fail();
      value = value * 10 + (c - '0');
    }
    text_.remove_prefix(count);
    return value;
  }
  void expect(char lower, char upper) {
    if (text_.empty() || (text_.front() != lower && text_.front() != upper)) {
      fail();
    } else {
      text_.remove_prefix(1);
    }
  }
  void expect(char c) { expect(c, c); }
  bool take(char c) {
    if (text_.empty() || text_.front() != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  /// In nanoseconds.
  std::int64_t fraction(std::size_t digits_max) {
    std::int64_t nanos = 0;
    std::size_t count = 0;
    for (; count < text_.size() && text_[count] >= '0' && text_[count] <= '9'; ++count) {
      if (count < digits_max) nanos = nanos * 10 + (text_[count] - '0');
    }
    if (count == 0 || count > digits_max) return fail();
    for (std::size_t i = count; i < 9; ++i) nanos *= 10;
    text_.remove_prefix(count);
    return nanos;
  }
  int fail() {
    failed_ = true;
    text_ = {};
    return 0;
  }
  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] bool done() const { return !failed_ && text_.empty(); }

 private:
  std::string_view text_;
  bool failed_ = false;
};

constexpr std::array<char, 200> kDigitPairs = [] {
  std::array<char, 200> table{};
  for (std::size_t i = 0; i < 100; ++i) {
    table[2 * i] = static_cast<char>('0' + i / 10);
    table[2 * i + 1] = static_cast<char>('0' + i % 10);
  }
  return table;
}();

void put_pair(char* to, std::uint32_t value) { std::memcpy(to, kDigitPairs.data() + 2 * value, 2); }

/// Writes `0000-00-00T`. The times of a page have few dates, so that of the last one is at hand.
void write_date(std::int64_t days, char* to) {
  struct Written {
    std::int64_t days = std::numeric_limits<std::int64_t>::min();
    std::array<char, 11> text{};
  };
  thread_local Written last;
  if (last.days != days) {
    const std::chrono::year_month_day date{std::chrono::sys_days{std::chrono::days{days}}};
    const auto year = static_cast<std::uint32_t>(static_cast<int>(date.year()));
    char* const text = last.text.data();
    std::memcpy(text, "0000-00-00T", last.text.size());
    put_pair(text, year / 100);
    put_pair(text + 2, year % 100);
    put_pair(text + 5, static_cast<unsigned>(date.month()));
    put_pair(text + 8, static_cast<unsigned>(date.day()));
    last.days = days;
  }
  std::memcpy(to, last.text.data(), last.text.size());
}

}  // namespace

std::optional<Timestamp> parse_timestamp(std::string_view text, FinerTimes finer) {
  TakeMode in(text);
  const int year = in.digits(4);
  in.expect('-');
  const int month = in.digits(2);
  in.expect('-');
  const int day = in.digits(2);
  in.expect('t', 'T');
  const int hour = in.digits(2);
  in.expect(':');
  const int minute = in.digits(2);
  in.expect(':');
  const int second = in.digits(2);
  const std::int64_t nanos = in.take('.') ? in.fraction(finer == FinerTimes::Refuse ? 6 : 9) : 0;
  std::int64_t offset_minutes = 0;
  const bool plus = in.take('+');
  if (plus || in.take('-')) {
    const int hours = in.digits(2);
    in.expect(':');
    const int minutes = in.digits(2);
    if (hours > 23 || minutes > 59) return std::nullopt;
    offset_minutes = (plus ? 1 : -1) * (hours * 60 + minutes);
  } else {
    in.expect('z', 'Z');
  }
  if (!in.done()) return std::nullopt;

  const std::chrono::year_month_day date{std::chrono::year{year}, std::chrono::month{static_cast<unsigned>(month)},
                                         std::chrono::day{static_cast<unsigned>(day)}};
  if (!date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;

  const bool leap = second == 60;
  const std::int64_t micros = leap ? kSecond - 1 : nanos / 1000;
  const std::int64_t seconds = (hour * 60 + minute - offset_minutes) * 60 + (leap ? 59 : second);
  const std::int64_t at = days_of(year, date.month().operator unsigned(), date.day().operator unsigned()) * kDay +
                          seconds * kSecond + micros;
  if (at < kFirst || at > kLast) return std::nullopt;
  if (leap) {
    // Only the last instant of a UTC month may have a sixty-first second.
    if ((at + 1) % kDay != 0) return std::nullopt;
    const std::chrono::sys_days next{std::chrono::days{(at + 1) / kDay}};
    if (std::chrono::year_month_day{next}.day() != std::chrono::day{1}) return std::nullopt;
  }
  const bool rounds_up = finer == FinerTimes::RoundUp && !leap && nanos % 1000 != 0;
  return Timestamp{at + (rounds_up ? 1 : 0)};
}

void write_timestamp(Timestamp time, char* to) {
  const std::int64_t at = std::clamp(time.micros, kFirst, kLast);
  std::int64_t days = at / kDay;
  std::int64_t rest = at % kDay;
  if (rest < 0) {
    rest += kDay;
    --days;
  }
  const auto second = static_cast<std::uint32_t>(rest / kSecond);
  const auto micros = static_cast<std::uint32_t>(rest % kSecond);
  write_date(days, to);
  std::memcpy(to + 11, "00:00:00.000000Z", 16);
  put_pair(to + 11, second / 3600);
  put_pair(to + 14, second / 60 % 60);
  put_pair(to + 17, second % 60);
  put_pair(to + 20, micros / 10'000);
  put_pair(to + 22, micros / 100 % 100);
  put_pair(to + 24, micros % 100);
}

std::string format_timestamp(Timestamp time) {
  std::string text(kTimestampBytes, '\0');
  write_timestamp(time, text.data());
  return text;
}

}  // namespace stele::api
