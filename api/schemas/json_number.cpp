#include "api/schemas/json_number.h"

#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <string_view>

namespace stele::api {

namespace {

__extension__ using Wide = unsigned __int128;

constexpr double kTwo63 = 9223372036854775808.0;
constexpr double kTwo64 = 18446744073709551616.0;

std::strong_ordering compare_reals(double a, double b) {
  if (a < b) return std::strong_ordering::less;
  return a > b ? std::strong_ordering::greater : std::strong_ordering::equal;
}

/// A 64-bit integer against a double that lies within the range of its kind, or not.
template <class Integer>
std::strong_ordering compare_mixed(Integer a, double b, double lowest, double behind_highest) {
  if (b < lowest) return std::strong_ordering::greater;
  if (b >= behind_highest) return std::strong_ordering::less;
  const double floor = std::floor(b);
  const auto whole = static_cast<Integer>(floor);
  if (a != whole) return a <=> whole;
  return floor < b ? std::strong_ordering::less : std::strong_ordering::equal;
}

std::uint64_t mixed(std::uint64_t value) {
  value ^= value >> 32;
  value *= 0x9E3779B97F4A7C15;
  return value ^ value >> 29;
}

std::uint64_t power_of_ten_modulo(unsigned exponent, std::uint64_t modulus) {
  Wide result = 1 % modulus;
  for (Wide base = 10 % modulus; exponent > 0; exponent >>= 1, base = base * base % modulus) {
    if ((exponent & 1) != 0) result = result * base % modulus;
  }
  return static_cast<std::uint64_t>(result);
}

}  // namespace

std::optional<JsonNumber> JsonNumber::of(simdjson::dom::element element) {
  JsonNumber number;
  switch (element.type()) {
    case simdjson::dom::element_type::INT64:
      number.signed_ = element.get_int64().value_unsafe();
      return number;
    case simdjson::dom::element_type::UINT64: {
      const std::uint64_t value = element.get_uint64().value_unsafe();
      if (value < std::uint64_t{1} << 63) {
        number.signed_ = static_cast<std::int64_t>(value);
      } else {
        number.form_ = Form::Unsigned;
        number.unsigned_ = value;
      }
      return number;
    }
    case simdjson::dom::element_type::DOUBLE:
      number.form_ = Form::Real;
      number.real_ = element.get_double().value_unsafe();
      return number;
    default:
      return std::nullopt;
  }
}

bool JsonNumber::whole() const { return form_ != Form::Real || std::trunc(real_) == real_; }

bool JsonNumber::positive() const {
  return form_ == Form::Unsigned || (form_ == Form::Signed ? signed_ > 0 : real_ > 0);
}

std::optional<std::uint64_t> JsonNumber::count() const {
  switch (form_) {
    case Form::Signed:
      if (signed_ < 0) return std::nullopt;
      return static_cast<std::uint64_t>(signed_);
    case Form::Unsigned:
      return unsigned_;
    case Form::Real:
      if (!whole() || real_ < 0 || real_ >= kTwo64) return std::nullopt;
      return static_cast<std::uint64_t>(real_);
  }
  return std::nullopt;
}

std::uint64_t JsonNumber::hash() const {
  if (form_ == Form::Signed) return mixed(static_cast<std::uint64_t>(signed_));
  if (const auto same_count = count()) return mixed(*same_count);
  if (whole() && real_ >= -kTwo63) return mixed(static_cast<std::uint64_t>(static_cast<std::int64_t>(real_)));
  return mixed(std::bit_cast<std::uint64_t>(real_) + 1);
}

std::strong_ordering operator<=>(const JsonNumber& a, const JsonNumber& b) {
  using Form = JsonNumber::Form;
  if (a.form_ == b.form_) {
    switch (a.form_) {
      case Form::Signed:
        return a.signed_ <=> b.signed_;
      case Form::Unsigned:
        return a.unsigned_ <=> b.unsigned_;
      case Form::Real:
        return compare_reals(a.real_, b.real_);
    }
  }
  if (a.form_ == Form::Real) return 0 <=> (b <=> a);
  if (b.form_ != Form::Real) {
    return a.form_ == Form::Signed ? std::strong_ordering::less : std::strong_ordering::greater;
  }
  return a.form_ == Form::Signed ? compare_mixed(a.signed_, b.real_, -kTwo63, kTwo63)
                                 : compare_mixed(a.unsigned_, b.real_, 0, kTwo64);
}

Divisor::Decimal Divisor::decimal_of(const JsonNumber& number) {
  Decimal decimal;
  switch (number.form_) {
    case JsonNumber::Form::Signed:
      decimal.digits = number.signed_ < 0 ? 0 - static_cast<std::uint64_t>(number.signed_)
                                          : static_cast<std::uint64_t>(number.signed_);
      break;
    case JsonNumber::Form::Unsigned:
      decimal.digits = number.unsigned_;
      break;
    case JsonNumber::Form::Real: {
      std::array<char, 40> text{};
      const auto written =
          std::to_chars(text.data(), text.data() + text.size(), std::fabs(number.real_), std::chars_format::scientific);
      const char* at = text.data();
      bool fraction = false;
      for (; *at != 'e'; ++at) {
        if (*at == '.') {
          fraction = true;
          continue;
        }
        decimal.digits = decimal.digits * 10 + static_cast<std::uint64_t>(*at - '0');
        decimal.exponent -= fraction ? 1 : 0;
      }
      ++at;
      if (*at == '+') ++at;  // which from_chars does not take
      int exponent = 0;
      std::from_chars(at, written.ptr, exponent);
      decimal.exponent += exponent;
      break;
    }
  }
  while (decimal.digits != 0 && decimal.digits % 10 == 0) {
    decimal.digits /= 10;
    ++decimal.exponent;
  }
  return decimal;
}

std::optional<Divisor> Divisor::of(const JsonNumber& number) {
  if (!number.positive()) return std::nullopt;
  Divisor divisor;
  divisor.value_ = decimal_of(number);
  const auto count = number.count();
  if (count && *count < std::uint64_t{1} << 63) divisor.integer_ = static_cast<std::int64_t>(*count);
  return divisor;
}

bool Divisor::divides(const JsonNumber& number) const {
  if (number.form_ == JsonNumber::Form::Signed && integer_ != 0) return number.signed_ % integer_ == 0;
  const Decimal dividend = decimal_of(number);
  if (dividend.digits == 0) return true;
  // Without zeros at their end the digits are no multiple of ten.
  if (dividend.exponent < value_.exponent) return false;
  const auto shift = static_cast<unsigned>(dividend.exponent - value_.exponent);
  const Wide power = power_of_ten_modulo(shift, value_.digits);
  return Wide{dividend.digits} % value_.digits * power % value_.digits == 0;
}

}  // namespace stele::api
