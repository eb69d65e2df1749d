#include "api/schemas/ecma_pattern.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <utility>

namespace stele::api {

namespace {

constexpr std::uint32_t kCodeMax = 0x10FFFF;
constexpr int kGroupDepthMax = 200;
constexpr std::size_t kSmallProgramBytesMax = 64 << 10;
constexpr std::size_t kProgramBytesMax = 1 << 20;
constexpr int kSmallProgramInstructions = 200;

// What \s and . mean to ECMA-262, which is more than what they mean to RE2.
constexpr std::string_view kSpaces =
    R"(\x{9}-\x{d}\x{20}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{feff})";
constexpr std::string_view kNoSpaces =
    R"(\x{0}-\x{8}\x{e}-\x{1f}\x{21}-\x{9f}\x{a1}-\x{167f}\x{1681}-\x{1fff}\x{200b}-\x{2027}\x{202a}-\x{202e})"
    R"(\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{fefe}\x{ff00}-\x{10ffff})";
constexpr std::string_view kLineEnds = R"(\n\r\x{2028}\x{2029})";

/// The long names of the general categories; RE2 knows the short ones.
std::string_view short_category(std::string_view name) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 36> kNames{{
      {"Letter", "L"},
      {"Lowercase_Letter", "Ll"},
      {"Uppercase_Letter", "Lu"},
      {"Titlecase_Letter", "Lt"},
      {"Modifier_Letter", "Lm"},
      {"Other_Letter", "Lo"},
      {"Mark", "M"},
      {"Combining_Mark", "M"},
      {"Nonspacing_Mark", "Mn"},
      {"Spacing_Mark", "Mc"},
      {"Enclosing_Mark", "Me"},
      {"Number", "N"},
      {"Decimal_Number", "Nd"},
      {"digit", "Nd"},
      {"Letter_Number", "Nl"},
      {"Other_Number", "No"},
      {"Punctuation", "P"},
      {"punct", "P"},
      {"Connector_Punctuation", "Pc"},
      {"Dash_Punctuation", "Pd"},
      {"Open_Punctuation", "Ps"},
      {"Close_Punctuation", "Pe"},
      {"Initial_Punctuation", "Pi"},
      {"Final_Punctuation", "Pf"},
      {"Other_Punctuation", "Po"},
      {"Symbol", "S"},
      {"Math_Symbol", "Sm"},
      {"Currency_Symbol", "Sc"},
      {"Modifier_Symbol", "Sk"},
      {"Other_Symbol", "So"},
      {"Separator", "Z"},
      {"Space_Separator", "Zs"},
      {"Line_Separator", "Zl"},
      {"Paragraph_Separator", "Zp"},
      {"Control", "Cc"},
      {"Format", "Cf"},
  }};
  const auto* const found = std::find_if(kNames.begin(), kNames.end(), [&](const auto& n) { return n.first == name; });
  return found == kNames.end() ? name : found->second;
}

bool is_ascii_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/// Reads a pattern and writes what it means to RE2.
class PatternTranslator {
 public:
  explicit PatternTranslator(std::string_view source) : text_(source) {}

  void run() {
    alternatives(0);
    if (!failed() && at_ < text_.size()) fail("there is a ) without its (");
  }
  [[nodiscard]] bool failed() const { return !error_.empty(); }
  [[nodiscard]] const std::string& error() const { return error_; }
  /// It is a regular expression, but one that RE2 cannot take.
  [[nodiscard]] const std::string& unsupported() const { return unsupported_; }
  [[nodiscard]] const std::string& out() const { return out_; }

 private:
  /// What stands in a class: one character, or several.
  struct ClassAtom {
    std::optional<std::uint32_t> code;
    std::string several{};
  };

  void fail(std::string why) {
    if (error_.empty()) error_ = std::move(why);
    at_ = text_.size();
  }
  void cannot(std::string_view what) {
    if (unsupported_.empty()) unsupported_ = what;
  }
  [[nodiscard]] bool at_end() const { return at_ >= text_.size(); }
  [[nodiscard]] bool next_is(std::string_view what) const { return text_.substr(at_).starts_with(what); }
  bool take(std::string_view what) {
    if (!next_is(what)) return false;
    at_ += what.size();
    return true;
  }
  void put(std::uint32_t code) {
    if (code < 0x80 && is_ascii_word(static_cast<char>(code))) {
      out_ += static_cast<char>(code);
    } else {
      fmt::format_to(std::back_inserter(out_), "\\x{{{:x}}}", code);
    }
  }

  void alternatives(int depth) {
    if (depth > kGroupDepthMax) return fail("its groups lie too deep in each other");
    while (!at_end() && !next_is(")")) {
      if (take("|")) {
        out_ += '|';
      } else {
        term(depth);
      }
    }
  }

  void term(int depth) {
    if (take("^")) {
      out_ += "\\A";
      return no_quantifier();
    }
    if (take("$")) {
      out_ += "\\z";
      return no_quantifier();
    }
    if (take("\\b")) {
      out_ += "\\b";
      return no_quantifier();
    }
    if (take("\\B")) {
      out_ += "\\B";
      return no_quantifier();
    }
    const char c = text_[at_];
    if (c == '*' || c == '+' || c == '?') return fail(fmt::format("there is nothing before {}", c));
    if (c == '(') {
      group(depth);
    } else if (c == '[') {
      character_class();
    } else if (take(".")) {
      out_.append("[^").append(kLineEnds).append("]");
    } else if (take("\\")) {
      escape();
    } else {
      put(character());
    }
    if (!failed()) quantifier();
  }

  void group(int depth) {
    ++at_;
    out_ += "(?:";
    bool assertion = false;
    if (take("?=") || take("?!") || take("?<=") || take("?<!")) {
      cannot("lookaround");
      assertion = true;
    } else if (take("?<")) {
      const std::size_t begin = at_;
      while (!at_end() && text_[at_] != '>') ++at_;
      const std::string_view name = text_.substr(begin, at_ - begin);
      const bool named = !name.empty() && !(name.front() >= '0' && name.front() <= '9') &&
                         std::all_of(name.begin(), name.end(), [](char c) {
                           return is_ascii_word(c) || c == '$' || (static_cast<unsigned char>(c) & 0x80) != 0;
                         });
      if (!named || !take(">")) return fail("a group has no proper name");
    } else if (next_is("?") && !take("?:")) {
      return fail("there is an unknown kind of group");
    }
    alternatives(depth + 1);
    if (failed()) return;
    if (!take(")")) return fail("there is a ( without its )");
    out_ += ')';
    if (assertion) no_quantifier();
  }

  void no_quantifier() {
    if (!at_end() && (next_is("*") || next_is("+") || next_is("?"))) {
      fail(fmt::format("there is nothing that {} could repeat", text_[at_]));
    }
  }

  void quantifier() {
    if (take("*")) {
      out_ += '*';
    } else if (take("+")) {
      out_ += '+';
    } else if (take("?")) {
      out_ += '?';
    } else if (!next_is("{") || !counted()) {
      return;
    }
    if (take("?")) out_ += '?';
    no_quantifier();
    std::size_t ignored_end = 0;
    if (next_is("{") && count_at(at_, ignored_end)) fail("there is nothing that { could repeat");
  }

  struct Count {
    std::uint64_t least = 0;
    std::optional<std::uint64_t> most;
  };

  /// `{n}`, `{n,}` or `{n,m}`; anything else that begins with a brace stands for itself.
  [[nodiscard]] std::optional<Count> count_at(std::size_t at, std::size_t& end) const {
    const auto number = [&]() -> std::optional<std::uint64_t> {
      const std::size_t begin = at;
      std::uint64_t value = 0;
      for (; at < text_.size() && text_[at] >= '0' && text_[at] <= '9'; ++at) {
        value = std::min<std::uint64_t>(value * 10 + static_cast<std::uint64_t>(text_[at] - '0'), 1'000'000'000);
      }
      if (at == begin) return std::nullopt;
      return value;
    };
    ++at;
    Count count;
    const auto least = number();
    if (!least) return std::nullopt;
    count.least = *least;
    count.most = least;
    if (at < text_.size() && text_[at] == ',') {
      ++at;
      count.most = number();
    }
    if (at >= text_.size() || text_[at] != '}') return std::nullopt;
    end = at + 1;
    return count;
  }

  bool counted() {
    std::size_t end = 0;
    const auto count = count_at(at_, end);
    if (!count) return false;
    if (count->most && *count->most < count->least) {
      fail("the numbers of a repetition are out of order");
      return false;
    }
    out_ += text_.substr(at_, end - at_);
    at_ = end;
    return true;
  }

  /// One character of UTF-8.
  std::uint32_t character() {
    const auto first = static_cast<unsigned char>(text_[at_]);
    const std::size_t bytes = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    std::uint32_t code = bytes == 1 ? first : first & (0xFFU >> (bytes + 1));
    for (std::size_t i = 1; i < bytes && at_ + i < text_.size(); ++i) {
      code = code << 6 | (static_cast<unsigned char>(text_[at_ + i]) & 0x3F);
    }
    at_ = std::min(at_ + bytes, text_.size());
    return std::min(code, kCodeMax);
  }

  /// Exactly `digits` hexadecimal ones, or none is taken.
  std::optional<std::uint32_t> hexadecimal(std::size_t digits) {
    if (text_.size() - at_ < digits) return std::nullopt;
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      const char c = text_[at_ + i];
      if (c >= '0' && c <= '9') {
        value = value * 16 + static_cast<std::uint32_t>(c - '0');
      } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
        value = value * 16 + static_cast<std::uint32_t>((c | 0x20) - 'a' + 10);
      } else {
        return std::nullopt;
      }
    }
    at_ += digits;
    return value;
  }

  /// Behind `\u`.
  std::uint32_t unicode_escape() {
    if (take("{")) {
      std::uint32_t value = 0;
      bool any = false;
      while (const auto digit = hexadecimal(1)) {
        value = std::min(value * 16 + *digit, kCodeMax + 1);
        any = true;
      }
      if (!any || value > kCodeMax || !take("}")) fail("\\u{ is not followed by a code point and }");
      return value;
    }
    const auto code = hexadecimal(4);
    if (!code) {
      fail("\\u is not followed by four hexadecimal digits");
      return 0;
    }
    if (*code < 0xD800 || *code > 0xDFFF) return *code;
    const std::size_t behind = at_;
    if (*code < 0xDC00 && take("\\u")) {
      const auto low = hexadecimal(4);
      if (low && *low >= 0xDC00 && *low <= 0xDFFF) return 0x10000 + ((*code - 0xD800) << 10) + (*low - 0xDC00);
      at_ = behind;
    }
    cannot("half of a surrogate pair");
    return 0xFFFD;
  }

  /// A character behind a backslash that is one by itself; none for what is several, or has a meaning elsewhere.
  std::optional<std::uint32_t> escaped_character() {
    const char c = text_[at_];
    if (!is_ascii_word(c) || c == '_') return character();
    ++at_;
    switch (c) {
      case 't':
        return '\t';
      case 'n':
        return '\n';
      case 'v':
        return '\v';
      case 'f':
        return '\f';
      case 'r':
        return '\r';
      case '0':
        if (!at_end() && text_[at_] >= '0' && text_[at_] <= '9') fail("there is an octal escape");
        return 0;
      case 'c':
        if (at_end() || !((text_[at_] | 0x20) >= 'a' && (text_[at_] | 0x20) <= 'z')) {
          fail("\\c is not followed by a letter");
          return 0;
        }
        return static_cast<std::uint32_t>(text_[at_++]) % 32;
      case 'x': {
        const auto code = hexadecimal(2);
        if (!code) fail("\\x is not followed by two hexadecimal digits");
        return code.value_or(0);
      }
      case 'u':
        return unicode_escape();
      default:
        --at_;
        return std::nullopt;
    }
  }

  /// `\d` and its like, as what may stand between brackets; none if the next character is no such letter.
  std::optional<std::string> escaped_set() {
    if (take("d")) return "0-9";
    if (take("D")) return R"(\x{0}-\x{2f}\x{3a}-\x{10ffff})";
    if (take("w")) return "0-9A-Za-z_";
    if (take("W")) return R"(\x{0}-\x{2f}\x{3a}-\x{40}\x{5b}-\x{5e}\x{60}\x{7b}-\x{10ffff})";
    if (take("s")) return std::string(kSpaces);
    if (take("S")) return std::string(kNoSpaces);
    if (next_is("p{") || next_is("P{")) {
      const char kind = text_[at_];
      const std::size_t end = text_.find('}', at_);
      if (end == std::string_view::npos) {
        fail("\\p{ is not closed");
        return "";
      }
      std::string_view name = text_.substr(at_ + 2, end - at_ - 2);
      at_ = end + 1;
      if (const std::size_t equals = name.find('='); equals != std::string_view::npos) {
        const std::string_view property = name.substr(0, equals);
        name.remove_prefix(equals + 1);
        if (property == "General_Category" || property == "gc") {
          name = short_category(name);
        } else if (property != "Script" && property != "sc") {
          cannot(fmt::format("the property {}", property));
        }
      } else {
        name = short_category(name);
      }
      if (name.empty() || !std::all_of(name.begin(), name.end(), is_ascii_word)) {
        fail("\\p{ has no proper name");
        return "";
      }
      if (name == "ASCII") return kind == 'p' ? R"(\x{0}-\x{7f})" : R"(\x{80}-\x{10ffff})";
      return fmt::format("\\{}{{{}}}", kind, name);
    }
    return std::nullopt;
  }

  /// Behind a backslash, outside a class.
  void escape() {
    if (at_end()) return fail("there is nothing behind the last \\");
    if (const auto set = escaped_set()) {
      out_.append("[").append(*set).append("]");
      return;
    }
    if (text_[at_] >= '1' && text_[at_] <= '9') {
      while (!at_end() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
      return cannot("back references");
    }
    if (take("k<")) {
      const std::size_t end = text_.find('>', at_);
      if (end == std::string_view::npos || end == at_) return fail("\\k names no group");
      at_ = end + 1;
      return cannot("back references");
    }
    if (const auto code = escaped_character()) return put(*code);
    fail(fmt::format("\\{} means nothing", text_[at_]));
  }

  ClassAtom class_atom() {
    if (!take("\\")) return {character()};
    if (at_end()) {
      fail("there is a [ without its ]");
      return {};
    }
    if (take("b")) return {std::uint32_t{'\b'}};
    if (auto set = escaped_set()) return {std::nullopt, std::move(*set)};
    if (const auto code = escaped_character()) return {code};
    fail(fmt::format("\\{} means nothing between brackets", text_[at_]));
    return {};
  }

  void character_class() {
    ++at_;
    const bool inverted = take("^");
    if (take("]")) {
      out_ += inverted ? R"([\x{0}-\x{10ffff}])" : R"([^\x{0}-\x{10ffff}])";
      return;
    }
    out_ += inverted ? "[^" : "[";
    while (!failed() && !next_is("]")) {
      if (at_end()) return fail("there is a [ without its ]");
      const ClassAtom from = class_atom();
      if (failed()) return;
      if (from.code) {
        put(*from.code);
      } else {
        out_ += from.several;
      }
      if (!next_is("-") || text_.substr(at_).starts_with("-]")) continue;
      ++at_;
      if (at_end()) return fail("there is a [ without its ]");
      const ClassAtom to = class_atom();
      if (failed()) return;
      if (from.code && to.code) {
        if (*to.code < *from.code) return fail("a range between brackets is out of order");
        out_ += '-';
        put(*to.code);
      } else {
        // The hyphen stands for itself.
        put('-');
        if (to.code) {
          put(*to.code);
        } else {
          out_ += to.several;
        }
      }
    }
    if (!take("]")) return;
    out_ += ']';
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::string out_;
  std::string error_;
  std::string unsupported_;
};

std::unique_ptr<const RE2> compiled_program(const std::string& pattern, std::size_t memory_max) {
  RE2::Options options(RE2::Quiet);
  options.set_never_capture(true);
  options.set_max_mem(static_cast<std::int64_t>(memory_max));
  return std::make_unique<const RE2>(pattern, options);
}

}  // namespace

bool is_ecma_pattern(std::string_view text) {
  PatternTranslator translator(text);
  translator.run();
  return !translator.failed();
}

EcmaPattern::EcmaPattern(std::string_view source, std::unique_ptr<const re2::RE2> program, std::size_t memory_max)
    : source_(source),
      program_(std::move(program)),
      instructions_(static_cast<std::uint64_t>(program_->ProgramSize())),
      memory_max_(memory_max) {}

EcmaPattern::~EcmaPattern() = default;

std::variant<std::shared_ptr<const EcmaPattern>, std::string> EcmaPattern::compile(std::string_view source) {
  PatternTranslator translator(source);
  translator.run();
  if (translator.failed()) return "This is no regular expression: " + translator.error() + ".";
  if (!translator.unsupported().empty()) {
    return fmt::format("This pattern has {}, and patterns are matched in linear time only, without.",
                       translator.unsupported());
  }
  std::size_t memory_max = kSmallProgramBytesMax;
  auto program = compiled_program(translator.out(), memory_max);
  if (program->error_code() == RE2::ErrorPatternTooLarge || program->ProgramSize() > kSmallProgramInstructions) {
    memory_max = kProgramBytesMax;
    program = compiled_program(translator.out(), memory_max);
  }
  if (!program->ok()) {
    return "This pattern cannot be taken: " +
           (program->error_code() == RE2::ErrorPatternTooLarge
                ? std::string("it is too large when its repetitions are written out.")
                : program->error() + ".");
  }
  return std::shared_ptr<const EcmaPattern>(new EcmaPattern(source, std::move(program), memory_max));
}

bool EcmaPattern::found_in(std::string_view text, WorkBudget& work) const {
  // In the worst case each byte meets each instruction, some hundred of them in the time of one unit; and to begin
  // takes some time by itself.
  constexpr std::uint64_t kStepsPerUnit = 64;
  constexpr std::uint64_t kUnitsToBegin = 4;
  if (!work.spend(kUnitsToBegin + text.size() * instructions_ / kStepsPerUnit)) return false;
  return RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), *program_);
}

}  // namespace stele::api
