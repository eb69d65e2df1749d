#include "api/http/parameters.h"

#include <algorithm>
#include <charconv>

#include "api/http/percent.h"
#include "api/json/duration.h"
#include "api/json/timestamp.h"

namespace stele::api {

namespace {

constexpr std::size_t kParametersMax = 256;
constexpr std::size_t kNameShownBytesMax = 64;

}  // namespace

Parameters::Parameters(std::string_view query, std::initializer_list<std::string_view> known,
                       std::span<const std::string_view> more) {
  std::size_t count = 0;
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view part = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (part.empty()) continue;
    if (++count > kParametersMax) {
      refuse("", "More than 256 parameters.");
      return;
    }
    const std::size_t equals = std::min(part.find('='), part.size());
    auto name = percent_decode(part.substr(0, equals), PlusMeans::Space);
    auto value = percent_decode(part.substr(std::min(equals + 1, part.size())), PlusMeans::Space);
    if (!name || !value) {
      refuse(name ? name->substr(0, kNameShownBytesMax)
                  : std::string(part.substr(0, std::min(equals, kNameShownBytesMax))),
             "The percent-encoding is broken or does not give UTF-8.");
      continue;
    }
    const auto is_in = [&](const auto& names) { return std::find(names.begin(), names.end(), *name) != names.end(); };
    if (!is_in(known) && !is_in(more)) {
      unknown_.push_back({"parameter", name->substr(0, kNameShownBytesMax), "There is no such parameter.", {}});
      continue;
    }
    values_.emplace_back(std::move(*name), std::move(*value));
  }
}

bool Parameters::has(std::string_view name) const {
  return std::any_of(values_.begin(), values_.end(), [&](const auto& value) { return value.first == name; });
}

const std::string* Parameters::single(std::string_view name) {
  const std::string* found = nullptr;
  for (const auto& [key, value] : values_) {
    if (key != name) continue;
    if (found != nullptr) {
      refuse(name, "May stand only once.");
      return nullptr;
    }
    found = &value;
  }
  return found;
}

std::optional<std::string> Parameters::text(std::string_view name, std::size_t bytes_max) {
  const std::string* value = single(name);
  if (value == nullptr) return std::nullopt;
  if (value->empty() || value->size() > bytes_max) {
    refuse(name, "Must have 1 to " + std::to_string(bytes_max) + " bytes.");
    return std::nullopt;
  }
  return *value;
}

std::vector<std::string> Parameters::texts(std::string_view name, std::size_t bytes_max, std::size_t count_max) {
  std::vector<std::string> found;
  for (const auto& [key, value] : values_) {
    if (key != name) continue;
    if (value.empty() || value.size() > bytes_max) {
      refuse(name, "Must have 1 to " + std::to_string(bytes_max) + " bytes.");
      return {};
    }
    if (found.size() == count_max) {
      refuse(name, "May stand at most " + std::to_string(count_max) + " times.");
      return {};
    }
    found.push_back(value);
  }
  return found;
}

std::optional<std::uint64_t> Parameters::integer(std::string_view name, std::uint64_t min, std::uint64_t max) {
  const std::string* value = single(name);
  if (value == nullptr) return std::nullopt;
  std::uint64_t number = 0;
  const char* const end = value->data() + value->size();
  const auto [stop, error] = std::from_chars(value->data(), end, number);
  if (error != std::errc{} || stop != end || number < min || number > max) {
    refuse(name, "Must be an integer from " + std::to_string(min) + " to " + std::to_string(max) + ".");
    return std::nullopt;
  }
  return number;
}

std::optional<Timestamp> Parameters::timestamp(std::string_view name) {
  const std::string* value = single(name);
  if (value == nullptr) return std::nullopt;
  std::string text = *value;
  // A '+' before the offset that was sent unencoded arrives as a space.
  if (text.size() > 6 && text[text.size() - 6] == ' ') text[text.size() - 6] = '+';
  auto time = parse_timestamp(text, FinerTimes::RoundUp);
  if (!time) {
    refuse(name, "Must be an RFC 3339 date-time such as 2026-03-01T12:00:00Z, with at most nine fractional digits.");
  }
  return time;
}

std::optional<bool> Parameters::flag(std::string_view name) {
  const std::string* value = single(name);
  if (value == nullptr) return std::nullopt;
  if (*value == "true") return true;
  if (*value == "false") return false;
  refuse(name, "Must be true or false.");
  return std::nullopt;
}

std::optional<std::chrono::milliseconds> Parameters::duration(std::string_view name, std::chrono::milliseconds min,
                                                              std::chrono::milliseconds max) {
  const std::string* value = single(name);
  if (value == nullptr) return std::nullopt;
  const auto duration = parse_duration(*value);
  if (duration && *duration >= min && *duration <= max) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(*duration);
  }
  refuse(name, "Must be a duration from " + std::to_string(min.count()) + "ms to " + std::to_string(max.count()) +
                   "ms, such as 2s.");
  return std::nullopt;
}

void Parameters::refuse(std::string_view name, std::string detail) {
  errors_.push_back({"parameter", std::string(name), std::move(detail), {}});
}

std::optional<Problem> Parameters::problem() const {
  if (!unknown_.empty()) {
    Problem problem("unknown-parameter", "Unknown query parameter: " + unknown_.front().where);
    problem.errors(unknown_);
    return problem;
  }
  if (!errors_.empty()) {
    const FieldError& first = errors_.front();
    Problem problem("invalid-parameter",
                    first.where.empty() ? first.detail : "Parameter " + first.where + ": " + first.detail);
    problem.errors(errors_);
    return problem;
  }
  return std::nullopt;
}

std::string Parameters::encoded(std::initializer_list<std::string_view> except) const {
  std::string text;
  for (const auto& [name, value] : values_) {
    if (std::find(except.begin(), except.end(), name) != except.end()) continue;
    if (!text.empty()) text += '&';
    append_percent_encoded(text, name);
    text += '=';
    append_percent_encoded(text, value);
  }
  return text;
}

}  // namespace stele::api
