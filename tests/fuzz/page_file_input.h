#pragma once
// Page files (engine/table/page_file.h) as small inputs, whose checksums hold whatever the fuzzer does to them:
//   u16 length, directory; for each page of the body u16 front, u16 tail, bytes of its front, bytes of its end.
// What is between front and end is zero.

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>

#include "engine/base/bytes.h"
#include "engine/base/check.h"
#include "engine/table/page_file.h"
#include "tests/support/simulated_file_system.h"

namespace stele::fuzz {

inline constexpr std::size_t kInputPagesMax = 40;
inline constexpr Uuid kInputStore{{1, 2, 3}};

/// The bytes of `file` as an input.
inline std::string page_file_as_input(std::string_view file) {
  constexpr std::size_t kPagesAt = 32, kDirectoryBytesAt = 56, kDirectoryAt = 72;
  const auto directory_bytes = get_at<std::uint32_t>(file.data() + kDirectoryBytesAt);
  const auto pages = get_at<std::uint64_t>(file.data() + kPagesAt);
  STELE_CHECK(pages <= kInputPagesMax);
  std::string input;
  put<std::uint16_t>(input, static_cast<std::uint16_t>(directory_bytes));
  input.append(file.substr(kDirectoryAt, directory_bytes));
  for (std::uint64_t number = 1; number <= pages; ++number) {
    const std::string_view page = file.substr(number * kPageBytes, kPageBytes);
    // The longest stretch of zeros goes.
    std::size_t zeros_begin = 0, zeros_end = 0;
    for (std::size_t at = 0; at < page.size();) {
      const std::size_t begin = std::min(page.find('\0', at), page.size());
      const std::size_t end = std::min(page.find_first_not_of('\0', begin), page.size());
      if (end - begin > zeros_end - zeros_begin) zeros_begin = begin, zeros_end = end;
      at = end;
    }
    put<std::uint16_t>(input, static_cast<std::uint16_t>(zeros_begin));
    put<std::uint16_t>(input, static_cast<std::uint16_t>(page.size() - zeros_end));
    input.append(page.substr(0, zeros_begin)).append(page.substr(zeros_end));
  }
  return input;
}

/// Takes a u16 length's worth of bytes from the front, or what there is.
inline std::string_view take_bytes(std::string_view& from, std::size_t length) {
  const std::string_view taken = from.substr(0, length);
  from.remove_prefix(taken.size());
  return taken;
}

inline std::size_t take_length(std::string_view& from) {
  std::string bytes(take_bytes(from, sizeof(std::uint16_t)));
  bytes.resize(sizeof(std::uint16_t), '\0');
  return get_at<std::uint16_t>(bytes.data());
}

/// The directory in `input`, which loses it.
inline std::string_view take_directory(std::string_view& input) {
  return take_bytes(input, std::min(take_length(input), kPageFileDirectoryBytesMax));
}

/// Writes the file that `directory` and the pages in `input` describe.
inline void write_page_file(FileSystem& disk, const std::string& path, const PageFileKind& kind,
                            std::string_view directory, std::string_view input) {
  const auto writer = PageFileWriter::create(disk, path, nullptr);
  STELE_CHECK(writer);
  for (std::size_t pages = 0; !input.empty() && pages < kInputPagesMax; ++pages) {
    const std::size_t front_bytes = std::min<std::size_t>(take_length(input), kPageBytes);
    const std::size_t tail_bytes = std::min<std::size_t>(take_length(input), kPageBytes - front_bytes);
    std::string page(take_bytes(input, front_bytes));
    const std::string_view tail = take_bytes(input, tail_bytes);
    page.resize(kPageBytes - tail.size(), '\0');
    STELE_CHECK((*writer)->append(page.append(tail)));
  }
  STELE_CHECK((*writer)->finish(kind, kInputStore, directory));
}

}  // namespace stele::fuzz
