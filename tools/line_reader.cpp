#include "tools/line_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <vector>

namespace stele::tools {

namespace {

constexpr std::size_t kChunkBytes = 256U << 10;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

/// A zstd frame, or a skippable frame such as the parallel compressors put in front.
bool is_zstd(std::string_view start) {
  if (start.size() < 4) return false;
  const bool data_frame = start.substr(0, 4) == "\x28\xB5\x2F\xFD";
  const bool skippable = (static_cast<unsigned char>(start[0]) & 0xF0U) == 0x50 && start.substr(1, 3) == "\x2A\x4D\x18";
  return data_frame || skippable;
}

}  // namespace

struct LineReader::Impl {
  std::string path;
  std::size_t line_bytes_max = 0;
  int fd = -1;
  std::optional<std::uint64_t> bytes_total;
  std::uint64_t bytes_read = 0;
  bool file_ended = false;

  bool started = false;
  std::unique_ptr<ZSTD_DCtx, decltype([](ZSTD_DCtx* context) { ZSTD_freeDCtx(context); })> zstd;
  bool frame_open = false;  ///< the compressed input must not end now
  std::vector<char> raw = std::vector<char>(kChunkBytes);
  std::size_t raw_begin = 0, raw_end = 0;

  std::vector<char> text;  ///< decompressed (or raw) bytes not yet given out: [begin, end)
  std::size_t begin = 0, end = 0;
  std::uint64_t number = 0;

  ~Impl() {
    if (fd > STDIN_FILENO) ::close(fd);
  }

  /// Reads more raw bytes behind those that wait; file_ended when there are none.
  Status fill_raw() {
    std::memmove(raw.data(), raw.data() + raw_begin, raw_end - raw_begin);
    raw_end -= raw_begin;
    raw_begin = 0;
    ssize_t got = 0;
    do {
      got = ::read(fd, raw.data() + raw_end, raw.size() - raw_end);
    } while (got < 0 && errno == EINTR);
    if (got < 0) return os_error(errno, "cannot read the input", path);
    file_ended = got == 0;
    raw_end += static_cast<std::size_t>(got);
    bytes_read += static_cast<std::uint64_t>(got);
    return {};
  }

  Status start() {
    started = true;
    while (raw_end - raw_begin < 4 && !file_ended) STELE_TRY(fill_raw());
    const std::string_view first(raw.data() + raw_begin, raw_end - raw_begin);
    if (is_zstd(first)) zstd.reset(ZSTD_createDCtx());
    return {};
  }

  /// Makes room for, and appends, the next piece of text; nothing appended at the end of the input.
  Status fill_text() {
    if (!started) STELE_TRY(start());
    std::memmove(text.data(), text.data() + begin, end - begin);
    end -= begin;
    begin = 0;
    if (text.size() - end < kChunkBytes) text.resize(end + kChunkBytes);
    const std::size_t before = end;
    while (end == before) {
      if (raw_begin == raw_end && !file_ended) STELE_TRY(fill_raw());
      if (zstd == nullptr) {
        const std::size_t piece = std::min(raw_end - raw_begin, text.size() - end);
        if (piece == 0) return {};
        std::memcpy(text.data() + end, raw.data() + raw_begin, piece);
        raw_begin += piece;
        end += piece;
        return {};
      }
      if (raw_begin == raw_end && !frame_open) return {};
      ZSTD_inBuffer in{raw.data(), raw_end, raw_begin};
      ZSTD_outBuffer out{text.data(), text.size(), end};
      const std::size_t left = ZSTD_decompressStream(zstd.get(), &out, &in);
      if (ZSTD_isError(left) != 0) return damaged(ZSTD_getErrorName(left));
      const bool moved = in.pos != raw_begin || out.pos != end;
      raw_begin = in.pos;
      end = out.pos;
      frame_open = left != 0;
      if (!moved && raw_begin == raw_end && file_ended) return damaged("it ends in the middle");
    }
    return {};
  }

  [[nodiscard]] Error damaged(const char* why) const {
    return Error{ErrorKind::Corrupt, std::string("the compressed input is damaged: ") + why, 0, path,
                 bytes_read - (raw_end - raw_begin)};
  }

  /// The next line, blank or not.
  Result<bool> next_line(Line& to) {
    to.text.clear();
    to.too_long = false;
    std::size_t searched = 0;  // of [begin, end)
    for (;;) {
      const auto* newline = static_cast<const char*>(
          end - begin > searched ? std::memchr(text.data() + begin + searched, '\n', end - begin - searched) : nullptr);
      if (newline != nullptr) {
        const auto length = static_cast<std::size_t>(newline - (text.data() + begin));
        take(to, length);
        ++begin;  // the newline
        return true;
      }
      searched = end - begin;
      if (searched > line_bytes_max + 2) {  // 2: a carriage return and a byte more than allowed
        to.too_long = true;
        begin = end;
        searched = 0;
      }
      const std::size_t before = end - begin;
      STELE_TRY(fill_text());
      if (end - begin == before) {  // the end of the input
        if (before == 0 && !to.too_long) return false;
        take(to, before);
        return true;
      }
    }
  }

  void take(Line& to, std::size_t length) {
    to.number = ++number;
    std::string_view line(text.data() + begin, length);
    begin += length;
    if (number == 1 && line.starts_with(kByteOrderMark)) line.remove_prefix(kByteOrderMark.size());
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.size() > line_bytes_max) to.too_long = true;
    if (!to.too_long) to.text = line;
  }
};

LineReader::LineReader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LineReader::~LineReader() = default;

Result<std::unique_ptr<LineReader>> LineReader::open(const std::string& path, std::size_t line_bytes_max) {
  auto impl = std::make_unique<Impl>();
  impl->path = path == "-" ? "stdin" : path;
  impl->line_bytes_max = line_bytes_max;
  impl->fd = path == "-" ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (impl->fd < 0) return os_error(errno, "cannot open", path);
  struct stat info {};
  if (::fstat(impl->fd, &info) != 0) return os_error(errno, "cannot stat", path);
  if (S_ISDIR(info.st_mode)) return os_error(EISDIR, "cannot read", path);
  if (S_ISREG(info.st_mode)) impl->bytes_total = static_cast<std::uint64_t>(info.st_size);
  return std::unique_ptr<LineReader>(new LineReader(std::move(impl)));
}

Result<bool> LineReader::next(Line& to) {
  for (;;) {
    STELE_ASSIGN(const bool more, impl_->next_line(to));
    if (!more) return false;
    if (to.too_long || to.text.find_first_not_of(" \t\r") != std::string::npos) return true;
  }
}

std::uint64_t LineReader::bytes_read() const { return impl_->bytes_read - (impl_->raw_end - impl_->raw_begin); }
std::optional<std::uint64_t> LineReader::bytes_total() const { return impl_->bytes_total; }

}  // namespace stele::tools
