#pragma once
// A file that a secret is about to be written into.

#include <string>
#include <string_view>

#include "engine/base/result.h"

namespace stele::tools {

/// New, and for its owner only. It is there, empty, before the secret is asked for, so that none is lost because there
/// is no place for it; without write() it is removed again.
class SecretOutput {
 public:
  /// Io if there is a file already, or none can be made.
  [[nodiscard]] static Result<SecretOutput> create(std::string path);
  ~SecretOutput();
  SecretOutput(SecretOutput&& from) noexcept;
  SecretOutput& operator=(SecretOutput&&) = delete;

  /// The secret and the end of a line.
  [[nodiscard]] Status write(std::string_view secret);

 private:
  SecretOutput(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}
  std::string path_;
  int descriptor_;
  bool is_written_ = false;
};

}  // namespace stele::tools
