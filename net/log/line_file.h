#pragma once
// Whole lines at the end of a file that may be exchanged under way, or to stdout.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "engine/base/result.h"

namespace stele::net {

/// A line is in one file, in one piece. What cannot be written waits, up to a MiB; lines beyond that are dropped. One
/// thread, but for go_on_in() and dropped().
class LineFile {
 public:
  enum class Opening {
    First,  ///< a pipe without a reader is waited for
    Again,  ///< never waits
  };
  /// A descriptor at the end of `path`, which is made if it does not exist, with its folder.
  [[nodiscard]] static Result<int> open(const std::string& path, Opening opening);

  /// Owns `fd` unless it is that of stdout.
  explicit LineFile(int fd) : fd_(fd) {}
  /// Writes what waits.
  ~LineFile();
  LineFile(const LineFile&) = delete;
  LineFile& operator=(const LineFile&) = delete;

  /// Adds `line`, without its end.
  void add(std::string_view line);
  /// Writes what waits.
  void flush();

  /// From the next add() or flush() on, lines go to `fd`; those that wait then, to the file before it. Any thread,
  /// never waits.
  void go_on_in(int fd);
  /// Any thread.
  [[nodiscard]] std::uint64_t dropped() const { return dropped_.load(); }

 private:
  void write_waiting();

  int fd_;
  std::atomic<int> next_{-1};  ///< the file to go on in
  std::string waiting_;        ///< whole lines …
  std::size_t written_ = 0;    ///< … of the first of which so much is in the file
  bool failing_ = false;
  std::atomic<std::uint64_t> dropped_{0};
};

}  // namespace stele::net
