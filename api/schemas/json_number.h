#pragma once
// The numbers of JSON as simdjson gives them (64-bit integers and doubles), compared and divided without rounding.

#include <simdjson.h>

#include <compare>
#include <cstdint>
#include <optional>

namespace stele::api {

/// A value type. Doubles are finite: JSON has no others.
class JsonNumber {
 public:
  /// None for what is no number.
  [[nodiscard]] static std::optional<JsonNumber> of(simdjson::dom::element element);

  /// Has no fraction: 1.0 and 1e300 are whole.
  [[nodiscard]] bool whole() const;
  [[nodiscard]] bool positive() const;
  /// If it is whole, not negative and below 2^64.
  [[nodiscard]] std::optional<std::uint64_t> count() const;
  /// The same for equal numbers, however they are written.
  [[nodiscard]] std::uint64_t hash() const;

  friend std::strong_ordering operator<=>(const JsonNumber& a, const JsonNumber& b);
  friend bool operator==(const JsonNumber& a, const JsonNumber& b) { return (a <=> b) == 0; }

 private:
  friend class Divisor;
  enum class Form : std::uint8_t { Signed, Unsigned, Real };

  Form form_ = Form::Signed;
  std::int64_t signed_ = 0;
  std::uint64_t unsigned_ = 0;  ///< Form::Unsigned: 2^63 or more
  double real_ = 0;
};

/// What a number may be a multiple of. A double stands for the shortest decimal fraction that is read as it, which is
/// what was written unless that had more than 15 digits: 19.99 is a multiple of 0.01.
class Divisor {
 public:
  /// None unless it is greater than zero.
  [[nodiscard]] static std::optional<Divisor> of(const JsonNumber& number);
  /// Takes constant time, also between 1e308 and 1e-308.
  [[nodiscard]] bool divides(const JsonNumber& number) const;

 private:
  struct Decimal {
    std::uint64_t digits = 0;  ///< without zeros at the end; the sign is of no importance here
    int exponent = 0;
  };

  [[nodiscard]] static Decimal decimal_of(const JsonNumber& number);

  Decimal value_;
  std::int64_t integer_ = 0;  ///< the same, if it is one of 64 bits; else 0
};

}  // namespace stele::api
