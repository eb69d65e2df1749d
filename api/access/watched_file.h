#pragma once
// What a file says, read again whenever the file has changed.

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "engine/base/file_system.h"

namespace stele::api {

/// A look at the file (one system call) counts for an interval; a use later than that after a change sees the change.
/// What was read is shared and immutable. While the file cannot be read or makes no sense, what it said before stays in
/// force: a botched edit locks nobody out, and lets nobody in. Thread-safe.
template <class T>
class WatchedFile {
 public:
  using Look = std::function<Result<std::optional<FileInfo>>()>;
  using Load = std::function<Result<T>()>;
  using Report = std::function<void(const std::string&)>;
  /// What has become of the file.
  struct News {
    const T* before;       ///< what was in force; null at first
    const T* now;          ///< null: the file cannot be used, and what was in force stays so
    const Error* trouble;  ///< why
    bool is_back;          ///< it could not be used before
  };
  /// Under a lock: it must not use the file. If it throws, the reload did not happen, and is tried again.
  using Told = std::function<void(const News&)>;

  /// `report` gets a line for people at each reload that fails, and at the first that works again.
  /// An interval of zero: every use looks.
  WatchedFile(Look look, Load load, Report report, std::chrono::nanoseconds interval)
      : look_(std::move(look)), load_(std::move(load)), report_(std::move(report)), interval_(interval) {}

  /// Reads the file for the first time; until that has worked, current() is empty.
  [[nodiscard]] Status start() {
    const std::lock_guard lock(mutex_);
    STELE_ASSIGN(seen_, look_());
    STELE_ASSIGN(T value, load_());
    value_ = std::make_shared<const T>(std::move(value));
    return {};
  }

  [[nodiscard]] std::shared_ptr<const T> current() {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    if (now.count() < look_again_.load(std::memory_order_relaxed)) {
      const std::lock_guard lock(mutex_);
      return value_;
    }
    // The look comes first: what is read later is at least as new.
    auto seen = look_();
    const std::lock_guard lock(mutex_);
    look_again_.store((now + interval_).count(), std::memory_order_relaxed);
    if (!seen) {
      // It may come back as it was.
      retry_ = true;
      fail(seen.error());
    } else if (*seen != seen_ || retry_) {
      reload(*seen);
    }
    return value_;
  }

  /// `told` gets what there is, and from then on what becomes of it; empty: nobody does. On return whoever was told
  /// before is not any more.
  void tell(Told told) {
    const std::lock_guard lock(mutex_);
    told_ = std::move(told);
    if (told_) told_({nullptr, value_.get(), nullptr, false});
  }

  /// Why the file cannot be used now; empty if it can.
  [[nodiscard]] std::string trouble() const {
    const std::lock_guard lock(mutex_);
    return trouble_;
  }

 private:
  void reload(const std::optional<FileInfo>& seen) {
    auto value = load_();
    if (!value) {
      fail(value.error());
      // What does not lie in the file itself may pass without a change of it.
      retry_ = value.error().kind == ErrorKind::Io;
      seen_ = seen;
      return;
    }
    auto now = std::make_shared<const T>(std::move(*value));
    if (told_) told_({value_.get(), now.get(), nullptr, !trouble_.empty()});
    retry_ = false;
    seen_ = seen;
    value_ = std::move(now);
    if (!trouble_.empty()) report_("works again: " + std::exchange(trouble_, {}));
  }

  void fail(const Error& error) {
    std::string words = error.describe();
    if (words == trouble_) return;
    if (told_) told_({value_.get(), nullptr, &error, false});
    report_("what was read before stays in force: " + words);
    trouble_ = std::move(words);
  }

  const Look look_;
  const Load load_;
  const Report report_;
  Told told_;
  const std::chrono::nanoseconds interval_;
  std::atomic<std::int64_t> look_again_{0};  ///< steady nanoseconds
  mutable std::mutex mutex_;
  std::optional<FileInfo> seen_;
  std::shared_ptr<const T> value_ = std::make_shared<const T>();
  std::string trouble_;
  bool retry_ = false;
};

}  // namespace stele::api
