#pragma once
// Little-endian encoding into strings and bounds-checked decoding. Byte strings are std::string_view throughout the
// engine.

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "engine/base/ids.h"

namespace stele {

static_assert(std::endian::native == std::endian::little, "the on-disk formats are little-endian and read with memcpy");

template <class T>
void put(std::string& to, T value) {
  static_assert(std::is_integral_v<T>);
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  to.append(bytes, sizeof(T));
}

template <class T>
void put_at(char* to, T value) {
  static_assert(std::is_integral_v<T>);
  std::memcpy(to, &value, sizeof(T));
}

template <class T>
[[nodiscard]] T get_at(const char* from) {
  static_assert(std::is_integral_v<T>);
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

[[nodiscard]] inline std::string_view as_bytes(const Uuid& uuid) {
  return {reinterpret_cast<const char*>(uuid.bytes.data()), uuid.bytes.size()};
}

/// Reads forward; after reading past the end every read gives zero or empty and ok() is false.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  template <class T>
  [[nodiscard]] T take() {
    if (rest_.size() < sizeof(T)) {
      fail();
      return T{};
    }
    const T value = get_at<T>(rest_.data());
    rest_.remove_prefix(sizeof(T));
    return value;
  }

  [[nodiscard]] std::string_view take_bytes(std::size_t size) {
    if (rest_.size() < size) {
      fail();
      return {};
    }
    const std::string_view bytes(rest_.data(), size);
    rest_.remove_prefix(size);
    return bytes;
  }

  [[nodiscard]] Uuid take_uuid() {
    Uuid uuid;
    const std::string_view bytes = take_bytes(uuid.bytes.size());
    if (!bytes.empty()) std::memcpy(uuid.bytes.data(), bytes.data(), bytes.size());
    return uuid;
  }

  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool at_end() const { return ok_ && rest_.empty(); }
  [[nodiscard]] std::size_t left() const { return rest_.size(); }

 private:
  void fail() {
    ok_ = false;
    rest_ = {};
  }

  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace stele
