#pragma once
// The query part of a request: names, values, and what is wrong with them.

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/http/problem.h"
#include "engine/base/ids.h"

namespace stele::api {

/// Reads the parameters of one request by name. Errors are collected; problem() tells of all of them. Each reader gives
/// none when the parameter is absent or faulty.
class Parameters {
 public:
  /// `query` as sent. Every name must be one of `known` or `more`, in static storage.
  Parameters(std::string_view query, std::initializer_list<std::string_view> known,
             std::span<const std::string_view> more = {});

  [[nodiscard]] bool has(std::string_view name) const;
  /// 1..bytes_max bytes.
  [[nodiscard]] std::optional<std::string> text(std::string_view name, std::size_t bytes_max = 255);
  /// All values of a parameter that may repeat.
  [[nodiscard]] std::vector<std::string> texts(std::string_view name, std::size_t bytes_max = 255,
                                               std::size_t count_max = 100);
  [[nodiscard]] std::optional<std::uint64_t> integer(std::string_view name, std::uint64_t min, std::uint64_t max);
  /// A bound of times, inclusive if it is a lower one and exclusive if it is an upper one: rounded up.
  [[nodiscard]] std::optional<Timestamp> timestamp(std::string_view name);
  [[nodiscard]] std::optional<bool> flag(std::string_view name);
  /// Such as `500ms` or `2s`.
  [[nodiscard]] std::optional<std::chrono::milliseconds> duration(std::string_view name, std::chrono::milliseconds min,
                                                                  std::chrono::milliseconds max);
  void refuse(std::string_view name, std::string detail);

  /// The refusal, if there was any error so far.
  [[nodiscard]] std::optional<Problem> problem() const;

  /// The parameters as sent (normalised encoding) without those named in `except`; empty or "a=b&c=d".
  [[nodiscard]] std::string encoded(std::initializer_list<std::string_view> except) const;

 private:
  [[nodiscard]] const std::string* single(std::string_view name);

  std::vector<std::pair<std::string, std::string>> values_;
  std::vector<FieldError> unknown_;
  std::vector<FieldError> errors_;
};

}  // namespace stele::api
