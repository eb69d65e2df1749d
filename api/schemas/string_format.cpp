#include "api/schemas/string_format.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <utility>

#include "api/schemas/ecma_pattern.h"
#include "api/schemas/uri_reference.h"

namespace stele::api {

namespace {

bool digit(char c) { return c >= '0' && c <= '9'; }
bool letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool hex_digit(char c) { return digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool beyond_ascii(char c) { return (static_cast<unsigned char>(c) & 0x80) != 0; }

/// Takes pieces off the front of a text; the first miss makes everything behind it fail.
class Scan {
 public:
  explicit Scan(std::string_view text) : text_(text) {}

  int two_digits() { return number(2); }
  int number(std::size_t digits) {
    if (text_.size() < digits) return fail();
    int value = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      if (!digit(text_[i])) return fail();
      value = value * 10 + (text_[i] - '0');
    }
    text_.remove_prefix(digits);
    return value;
  }
  bool take(char c) {
    if (text_.empty() || text_.front() != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  void expect(char c) {
    if (!take(c)) fail();
  }
  /// How many there were.
  std::size_t digits() {
    std::size_t count = 0;
    while (count < text_.size() && digit(text_[count])) ++count;
    text_.remove_prefix(count);
    return count;
  }
  int fail() {
    failed_ = true;
    text_ = {};
    return 0;
  }
  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] bool done() const { return !failed_ && text_.empty(); }
  [[nodiscard]] std::string_view rest() const { return text_; }

 private:
  std::string_view text_;
  bool failed_ = false;
};

void scan_date(Scan& in) {
  const int year = in.number(4);
  in.expect('-');
  const int month = in.two_digits();
  in.expect('-');
  const int day = in.two_digits();
  const std::chrono::year_month_day date{std::chrono::year{year}, std::chrono::month{static_cast<unsigned>(month)},
                                         std::chrono::day{static_cast<unsigned>(day)}};
  if (!date.ok()) in.fail();
}

void scan_time(Scan& in) {
  constexpr int kDayMinutes = 24 * 60;
  const int hour = in.two_digits();
  in.expect(':');
  const int minute = in.two_digits();
  in.expect(':');
  const int second = in.two_digits();
  if (in.take('.') && in.digits() == 0) in.fail();
  int offset = 0;
  const bool plus = in.take('+');
  if (plus || in.take('-')) {
    const int hours = in.two_digits();
    in.expect(':');
    const int minutes = in.two_digits();
    if (hours > 23 || minutes > 59) in.fail();
    offset = (plus ? 1 : -1) * (hours * 60 + minutes);
  } else if (!in.take('Z') && !in.take('z')) {
    in.fail();
  }
  if (hour > 23 || minute > 59 || second > 60) in.fail();
  const int utc = ((hour * 60 + minute - offset) % kDayMinutes + kDayMinutes) % kDayMinutes;
  if (second == 60 && utc != kDayMinutes - 1) in.fail();
}

/// Some of the units, in their order and without a gap, each behind a number; how many there were.
std::size_t scan_units(Scan& in, std::string_view units) {
  std::size_t count = 0;
  while (!in.rest().empty() && digit(in.rest().front())) {
    (void)in.digits();
    if (in.rest().empty()) return static_cast<std::size_t>(in.fail());
    const std::size_t unit = units.find(in.rest().front());
    if (unit == std::string_view::npos || (count > 0 && unit > 0)) return static_cast<std::size_t>(in.fail());
    in.expect(units[unit]);
    units.remove_prefix(unit + 1);
    ++count;
  }
  return count;
}

bool atext(char c) {
  return letter(c) || digit(c) || std::string_view("!#$%&'*+-/=?^_`{|}~").find(c) != std::string_view::npos;
}

bool is_label(std::string_view label, bool unicode) {
  constexpr std::size_t kLabelBytesMax = 63;
  if (label.empty() || (!unicode && label.size() > kLabelBytesMax)) return false;
  if (label.front() == '-' || label.back() == '-') return false;
  return std::all_of(label.begin(), label.end(),
                     [&](char c) { return letter(c) || digit(c) || c == '-' || (unicode && beyond_ascii(c)); });
}

bool is_domain(std::string_view text, bool unicode) {
  constexpr std::size_t kNameBytesMax = 253;
  if (!unicode && text.size() > kNameBytesMax) return false;
  for (;;) {
    const std::size_t dot = text.find('.');
    if (!is_label(text.substr(0, dot), unicode)) return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

bool is_local_part(std::string_view text, bool unicode) {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') {
    text = text.substr(1, text.size() - 2);
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '"') return false;
      if (text[i] == '\\' && ++i == text.size()) return false;
      if (text[i] < ' ' && !(unicode && beyond_ascii(text[i]))) return false;
      if (text[i] == '\x7f') return false;
    }
    return true;
  }
  bool dot = true;  // what comes next must not be one
  for (const char c : text) {
    if (c == '.') {
      if (dot) return false;
      dot = true;
    } else {
      if (!atext(c) && !(unicode && beyond_ascii(c))) return false;
      dot = false;
    }
  }
  return !dot;
}

bool is_mailbox(std::string_view text, bool unicode) {
  const std::size_t at = text.rfind('@');
  if (at == std::string_view::npos || !is_local_part(text.substr(0, at), unicode)) return false;
  std::string_view domain = text.substr(at + 1);
  if (domain.size() >= 2 && domain.front() == '[' && domain.back() == ']') {
    domain = domain.substr(1, domain.size() - 2);
    constexpr std::string_view kVersion6 = "IPv6:";
    return domain.starts_with(kVersion6) ? is_ipv6(domain.substr(kVersion6.size())) : is_ipv4(domain);
  }
  return is_domain(domain, unicode);
}

bool is_template_name(std::string_view text) {
  bool dot = true;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '.') {
      if (dot) return false;
      dot = true;
      continue;
    }
    dot = false;
    if (c == '%') {
      if (i + 2 >= text.size() || !hex_digit(text[i + 1]) || !hex_digit(text[i + 2])) return false;
      i += 2;
    } else if (!letter(c) && !digit(c) && c != '_') {
      return false;
    }
  }
  return !dot;
}

bool is_template_variable(std::string_view text) {
  if (text.ends_with('*')) return is_template_name(text.substr(0, text.size() - 1));
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return is_template_name(text);
  const std::string_view length = text.substr(colon + 1);
  return is_template_name(text.substr(0, colon)) && !length.empty() && length.size() <= 4 && length.front() != '0' &&
         std::all_of(length.begin(), length.end(), digit);
}

bool is_template_expression(std::string_view text) {
  if (!text.empty() && std::string_view("+#./;?&=,!@|").find(text.front()) != std::string_view::npos) {
    text.remove_prefix(1);
  }
  for (;;) {
    const std::size_t comma = text.find(',');
    if (!is_template_variable(text.substr(0, comma))) return false;
    if (comma == std::string_view::npos) return true;
    text.remove_prefix(comma + 1);
  }
}

bool is_ascii_uri(std::string_view text) { return is_uri(text, UriCharacters::Ascii); }
bool is_ascii_uri_reference(std::string_view text) { return is_uri_reference(text, UriCharacters::Ascii); }
bool is_iri(std::string_view text) { return is_uri(text, UriCharacters::Unicode); }
bool is_iri_reference(std::string_view text) { return is_uri_reference(text, UriCharacters::Unicode); }

}  // namespace

bool is_date(std::string_view text) {
  Scan in(text);
  scan_date(in);
  return in.done();
}

bool is_time(std::string_view text) {
  Scan in(text);
  scan_time(in);
  return in.done();
}

bool is_date_time(std::string_view text) {
  Scan in(text);
  scan_date(in);
  if (!in.take('T') && !in.take('t')) in.fail();
  scan_time(in);
  return in.done();
}

bool is_iso_duration(std::string_view text) {
  Scan in(text);
  in.expect('P');
  if (in.rest().find('W') != std::string_view::npos) {
    return in.digits() > 0 && in.take('W') && in.done();
  }
  std::size_t units = scan_units(in, "YMD");
  if (in.take('T')) {
    const std::size_t times = scan_units(in, "HMS");
    if (times == 0) in.fail();
    units += times;
  }
  return units > 0 && in.done();
}

bool is_email(std::string_view text) { return is_mailbox(text, false); }
bool is_idn_email(std::string_view text) { return is_mailbox(text, true); }
bool is_hostname(std::string_view text) { return is_domain(text, false); }

bool is_ipv4(std::string_view text) {
  for (int part = 0; part < 4; ++part) {
    std::size_t count = 0;
    int value = 0;
    for (; count < text.size() && count < 4 && digit(text[count]); ++count) value = value * 10 + (text[count] - '0');
    if (count == 0 || count > 3 || value > 255 || (count > 1 && text.front() == '0')) return false;
    text.remove_prefix(count);
    if (part == 3) break;
    if (!text.starts_with('.')) return false;
    text.remove_prefix(1);
  }
  return text.empty();
}

bool is_ipv6(std::string_view text) {
  constexpr int kGroups = 8;
  int groups = 0;
  bool gap = false;
  if (text.starts_with("::")) {
    gap = true;
    text.remove_prefix(2);
    if (text.empty()) return true;
  }
  for (;;) {
    const std::size_t end = text.find(':');
    const std::string_view group = text.substr(0, end);
    if (end == std::string_view::npos && group.find('.') != std::string_view::npos) {
      if (!is_ipv4(group)) return false;
      groups += 2;
      break;
    }
    if (group.empty() || group.size() > 4 || !std::all_of(group.begin(), group.end(), hex_digit)) return false;
    if (++groups > kGroups) return false;
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
    if (text.starts_with(':')) {
      if (gap) return false;
      gap = true;
      text.remove_prefix(1);
      if (text.empty()) break;
    }
  }
  return gap ? groups < kGroups : groups == kGroups;
}

bool is_uuid(std::string_view text) {
  constexpr std::size_t kUuidBytes = 36;
  if (text.size() != kUuidBytes) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;
    if (hyphen ? text[i] != '-' : !hex_digit(text[i])) return false;
  }
  return true;
}

bool is_json_pointer(std::string_view text) {
  if (text.empty()) return true;
  if (text.front() != '/') return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '~' && (i + 1 == text.size() || (text[i + 1] != '0' && text[i + 1] != '1'))) return false;
  }
  return true;
}

bool is_relative_json_pointer(std::string_view text) {
  std::size_t count = 0;
  while (count < text.size() && digit(text[count])) ++count;
  if (count == 0 || (count > 1 && text.front() == '0')) return false;
  text.remove_prefix(count);
  return text == "#" || is_json_pointer(text);
}

bool is_uri_template(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '{') {
      const std::size_t end = text.find('}', i);
      if (end == std::string_view::npos || !is_template_expression(text.substr(i + 1, end - i - 1))) return false;
      i = end;
    } else if (c == '%') {
      if (i + 2 >= text.size() || !hex_digit(text[i + 1]) || !hex_digit(text[i + 2])) return false;
      i += 2;
    } else if ((c >= 0 && c <= ' ') || c == '\x7f' ||
               std::string_view("\"<>\\^`|}").find(c) != std::string_view::npos) {
      return false;
    }
  }
  return true;
}

FormatScanner find_format(std::string_view name) {
  static constexpr std::array<std::pair<std::string_view, FormatScanner>, 18> kFormats{{
      {"date", is_date},
      {"date-time", is_date_time},
      {"duration", is_iso_duration},
      {"email", is_email},
      {"hostname", is_hostname},
      {"idn-email", is_idn_email},
      {"ipv4", is_ipv4},
      {"ipv6", is_ipv6},
      {"iri", is_iri},
      {"iri-reference", is_iri_reference},
      {"json-pointer", is_json_pointer},
      {"regex", is_ecma_pattern},
      {"relative-json-pointer", is_relative_json_pointer},
      {"time", is_time},
      {"uri", is_ascii_uri},
      {"uri-reference", is_ascii_uri_reference},
      {"uri-template", is_uri_template},
      {"uuid", is_uuid},
  }};
  const auto* const found =
      std::find_if(kFormats.begin(), kFormats.end(), [&](const auto& f) { return f.first == name; });
  return found == kFormats.end() ? nullptr : found->second;
}

}  // namespace stele::api
