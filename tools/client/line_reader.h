#pragma once
// Lines of a file, a pipe or stdin, plain or compressed with gzip or zstd (told by the first bytes), in constant
// memory.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "engine/base/result.h"

namespace stele::tools {

struct Line {
  std::uint64_t number = 0;  ///< from 1, empty lines count
  std::string text;          ///< without the line end; empty if too_long
  bool too_long = false;     ///< longer than the limit; its bytes were skipped
};

/// One thread.
class LineReader {
 public:
  /// `path` or "-" for stdin. NotFound or Io; InvalidArgument says what the input is if it cannot be lines of events
  /// (UTF-16, a JSON array, another compression …); and as next().
  [[nodiscard]] static Result<std::unique_ptr<LineReader>> open(const std::string& path, std::size_t line_bytes_max);
  ~LineReader();
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  /// Fills `to` with the next line that is not blank; false at the end. Io if reading fails, Corrupt if the compressed
  /// input is damaged or ends early, TooLarge if it needs too much memory: lines before that have been given out, a
  /// line cut by it has not.
  [[nodiscard]] Result<bool> next(Line& to);

  /// Bytes of the file that were used so far, as they lie there (compressed).
  [[nodiscard]] std::uint64_t bytes_read() const;
  /// Size of the file; none for a pipe.
  [[nodiscard]] std::optional<std::uint64_t> bytes_total() const;

 private:
  struct Impl;
  explicit LineReader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace stele::tools
