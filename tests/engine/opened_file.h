#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <utility>

#include "engine/base/file_system.h"

namespace stele {

inline std::unique_ptr<File> opened(FileSystem& files, const std::string& path,
                                    OpenMode mode = OpenMode::OpenOrCreate) {
  auto file = files.open(path, mode);
  REQUIRE_MESSAGE(file, (file ? "" : file.error().describe()));
  return std::move(file).value();
}

}  // namespace stele
