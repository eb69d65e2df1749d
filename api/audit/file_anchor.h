#pragma once
// A file that notes are appended to, each with an empty line behind it; where, say, another machine's disk is mounted,
// or something that can only be appended to.

#include <memory>
#include <string>

#include "api/audit/anchor.h"
#include "engine/base/file_system.h"

namespace stele::api {

class FileAnchor final : public Anchor {
 public:
  /// `files` must outlive it. Made when the first note is written, and opened anew for each, so that it may be moved
  /// away.
  FileAnchor(FileSystem& files, std::string path) : files_(files), path_(std::move(path)) {}

  [[nodiscard]] std::string_view kind() const override { return "file"; }
  [[nodiscard]] Status write(const AnchoredNote& note) override;
  void cancel() override {}

 private:
  FileSystem& files_;
  const std::string path_;
};

}  // namespace stele::api
