#pragma once
// Result<T>: a value or an Error. No exceptions cross an engine interface.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "engine/base/check.h"

namespace stele {

/// What the caller can do about a failure. There is deliberately no catch-all.
enum class ErrorKind {
  NotFound,         ///< What was asked for does not exist.
  InvalidArgument,  ///< The call itself is wrong; it will fail again.
  TooLarge,         ///< Beyond a limit of the format or the configuration.
  Io,               ///< The operating system refused a call; `os_error` says how.
  DiskFull,         ///< ENOSPC or EDQUOT: heals when there is space.
  Corrupt,          ///< Stored bytes contradict their checksum, bounds or order.
  Foreign,          ///< A file of another store or another program lies where ours should be.
  NewerFormat,      ///< Written by a newer version of Stele than this one can read.
  Locked,           ///< Another process uses the data folder.
  Unsupported,      ///< The file system does not have what was asked for.
  Displaced,        ///< A file or folder in use was removed, moved, replaced or cut off by somebody else.
  Busy,             ///< A bounded queue is full: try again later.
  Poisoned,         ///< A write or sync of the log failed: only a restart leaves this state.
  Closed,           ///< The store is shutting down.
  NotReady,         ///< What it takes is being made in the background: try again later.
  WouldWait,  ///< The bytes are on the disk, and the call was not to wait for it: call again where that is allowed.
};

[[nodiscard]] const char* name_of(ErrorKind kind);

struct Error {
  ErrorKind kind = ErrorKind::InvalidArgument;
  std::string message;
  int os_error = 0;                       ///< errno, 0 if none
  std::string file{};                     ///< path, empty if none
  std::optional<std::uint64_t> offset{};  ///< byte offset in `file`

  /// One line for a person: message, file, offset and the operating system's words.
  [[nodiscard]] std::string describe() const;
};

/// An Error from errno; ENOSPC and EDQUOT become DiskFull, ENOENT NotFound, everything else Io.
[[nodiscard]] Error os_error(int error_number, std::string message, std::string file = {});

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT(google-explicit-constructor)
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  [[nodiscard]] T& value() & {
    STELE_CHECK(has_value());
    return *std::get_if<0>(&state_);
  }
  [[nodiscard]] const T& value() const& {
    STELE_CHECK(has_value());
    return *std::get_if<0>(&state_);
  }
  [[nodiscard]] T&& value() && {
    STELE_CHECK(has_value());
    return std::move(*std::get_if<0>(&state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  [[nodiscard]] Error& error() & {
    STELE_CHECK(!has_value());
    return *std::get_if<1>(&state_);
  }
  [[nodiscard]] const Error& error() const& {
    STELE_CHECK(!has_value());
    return *std::get_if<1>(&state_);
  }
  [[nodiscard]] Error&& error() && {
    STELE_CHECK(!has_value());
    return std::move(*std::get_if<1>(&state_));
  }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() : error_(std::nullopt) {}  // defaulted, `return {}` would clear the place of the error as well
  Result(Error error) : error_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool has_value() const { return !error_.has_value(); }
  explicit operator bool() const { return has_value(); }
  void value() const { STELE_CHECK(has_value()); }
  [[nodiscard]] Error& error() & {
    STELE_CHECK(!has_value());
    return *error_;
  }
  [[nodiscard]] const Error& error() const& {
    STELE_CHECK(!has_value());
    return *error_;
  }
  [[nodiscard]] Error&& error() && {
    STELE_CHECK(!has_value());
    return std::move(*error_);
  }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

}  // namespace stele

#define STELE_CONCAT_(a, b) a##b
#define STELE_CONCAT(a, b) STELE_CONCAT_(a, b)

/// Returns the error of `expression` from the enclosing function, if there is one.
#define STELE_TRY(expression)                                \
  do {                                                       \
    if (auto stele_status_ = (expression); !stele_status_) { \
      return std::move(stele_status_).error();               \
    }                                                        \
  } while (false)

/// STELE_ASSIGN(auto file, open(...)): binds the value or returns the error.
#define STELE_ASSIGN(target, expression) STELE_ASSIGN_(STELE_CONCAT(stele_result_, __LINE__), target, expression)
#define STELE_ASSIGN_(result, target, expression) \
  auto result = (expression);                     \
  if (!result) return std::move(result).error();  \
  target = std::move(result).value()
