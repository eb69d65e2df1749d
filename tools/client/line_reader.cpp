#include "tools/client/line_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "api/http/decompressor.h"
#include "api/json/json_text.h"

namespace stele::tools {

namespace {

constexpr std::size_t kChunkBytes = 256U << 10;
constexpr std::size_t kTellingBytes = 8;
/// What people have on their own disks may need more memory than what comes over HTTP: 128 MiB.
constexpr int kZstdWindowLogMax = 27;

using State = api::Decompressor::State;

/// A zstd frame, or a skippable frame such as the parallel compressors put in front.
bool is_zstd(std::string_view start) {
  if (start.size() < 4) return false;
  const bool data_frame = start.substr(0, 4) == "\x28\xB5\x2F\xFD";
  const bool skippable = (static_cast<unsigned char>(start[0]) & 0xF0U) == 0x50 && start.substr(1, 3) == "\x2A\x4D\x18";
  return data_frame || skippable;
}

std::optional<api::ContentCoding> coding_of(std::string_view start) {
  if (start.starts_with("\x1F\x8B")) return api::ContentCoding::Gzip;
  if (is_zstd(start)) return api::ContentCoding::Zstd;
  return std::nullopt;
}

/// What a text is that begins like this, if it cannot be lines of events; empty if it can.
std::string_view foreign_form(std::string_view start) {
  struct Form {
    std::string_view mark;
    std::string_view what;
  };
  static constexpr std::array kForms{
      Form{{"\xFF\xFE\0\0", 4}, "is UTF-32; events are in UTF-8 (iconv -f UTF-32 -t UTF-8 makes that of it)"},
      Form{{"\0\0\xFE\xFF", 4}, "is UTF-32; events are in UTF-8 (iconv -f UTF-32 -t UTF-8 makes that of it)"},
      Form{{"{\0\0\0", 4}, "is UTF-32; events are in UTF-8 (iconv -f UTF-32LE -t UTF-8 makes that of it)"},
      Form{{"\0\0\0{", 4}, "is UTF-32; events are in UTF-8 (iconv -f UTF-32BE -t UTF-8 makes that of it)"},
      Form{{"[\0\0\0", 4}, "is UTF-32; events are in UTF-8 (iconv -f UTF-32LE -t UTF-8 makes that of it)"},
      Form{{"\0\0\0[", 4}, "is UTF-32; events are in UTF-8 (iconv -f UTF-32BE -t UTF-8 makes that of it)"},
      Form{{"\xFF\xFE", 2}, "is UTF-16; events are in UTF-8 (iconv -f UTF-16 -t UTF-8 makes that of it)"},
      Form{{"\xFE\xFF", 2}, "is UTF-16; events are in UTF-8 (iconv -f UTF-16 -t UTF-8 makes that of it)"},
      Form{{"{\0", 2}, "is UTF-16; events are in UTF-8 (iconv -f UTF-16LE -t UTF-8 makes that of it)"},
      Form{{"\0{", 2}, "is UTF-16; events are in UTF-8 (iconv -f UTF-16BE -t UTF-8 makes that of it)"},
      Form{{"[\0", 2}, "is UTF-16; events are in UTF-8 (iconv -f UTF-16LE -t UTF-8 makes that of it)"},
      Form{{"\0[", 2}, "is UTF-16; events are in UTF-8 (iconv -f UTF-16BE -t UTF-8 makes that of it)"},
      Form{"\xFD\x37zXZ", "is compressed with xz; only gzip and zstd are understood"},
      Form{"BZh", "is compressed with bzip2; only gzip and zstd are understood"},
      Form{"PK\x03\x04", "is a ZIP archive; only gzip and zstd are understood"},
  };
  for (const Form& form : kForms) {
    if (start.starts_with(form.mark)) return form.what;
  }
  start = api::without_byte_order_mark(start);
  start.remove_prefix(std::min(start.find_first_not_of(" \t\r\n"), start.size()));
  if (start.starts_with('[')) return "is a JSON array; import takes one event a line (jq -c '.[]' makes that of it)";
  const bool alone = start.starts_with("{\n") || start.starts_with("{\r\n");
  if (alone) return "is JSON over several lines; import takes one event a line (jq -c . makes that of it)";
  return {};
}

}  // namespace

struct LineReader::Impl {
  std::string path;
  std::size_t line_bytes_max = 0;
  int fd = -1;
  std::optional<std::uint64_t> bytes_total;
  std::uint64_t bytes_read = 0;
  bool file_ended = false;

  std::optional<api::Decompressor> decompressor;  ///< none: the input is plain
  bool may_end = false;                           ///< of compressed input
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

  /// Finds out what the input is.
  Status start() {
    while (raw_end - raw_begin < 4 && !file_ended) STELE_TRY(fill_raw());
    if (const auto coding = coding_of({raw.data() + raw_begin, raw_end - raw_begin})) {
      decompressor.emplace(*coding, kZstdWindowLogMax);
    }
    // What it is shows at its first character that is not blank.
    for (;;) {
      const std::size_t before = end - begin;
      const Status filled = fill_text();
      const std::string_view start_of_text(text.data() + begin, end - begin);
      if (!filled && start_of_text.empty()) return filled.error();
      if (const auto form = foreign_form(start_of_text); !form.empty()) {
        return Error{.kind = ErrorKind::InvalidArgument, .message = "the input " + std::string(form), .file = path};
      }
      const std::size_t blank = start_of_text.find_first_not_of(" \t\r\n");
      const bool seen = blank != std::string_view::npos && start_of_text.size() - blank >= kTellingBytes;
      // An error behind it will come again when the lines before it have been given out.
      if (seen || !filled || start_of_text.size() == before || start_of_text.size() >= kChunkBytes) return {};
    }
  }

  /// Makes room for, and appends, the next piece of text; nothing appended at the end of the input.
  Status fill_text() {
    std::memmove(text.data(), text.data() + begin, end - begin);
    end -= begin;
    begin = 0;
    if (text.size() - end < kChunkBytes) text.resize(end + kChunkBytes);
    const std::size_t before = end;
    for (;;) {
      if (raw_begin == raw_end && !file_ended) STELE_TRY(fill_raw());
      if (!decompressor) {
        const std::size_t piece = std::min(raw_end - raw_begin, text.size() - end);
        if (piece == 0) return {};
        std::memcpy(text.data() + end, raw.data() + raw_begin, piece);
        raw_begin += piece;
        end += piece;
        return {};
      }
      if (raw_begin == raw_end && may_end) return {};
      std::string_view in(raw.data() + raw_begin, raw_end - raw_begin);
      std::span<char> room = std::span(text).subspan(end);
      const State state = decompressor->step(in, room);
      raw_begin = raw_end - in.size();
      end = text.size() - room.size();
      may_end = state == State::Whole;
      if (end != before) return {};  // what is wrong comes again
      if (state == State::Damaged) return damaged("it is not what it says it is");
      if (state == State::WindowTooLarge) {
        return Error{.kind = ErrorKind::TooLarge,
                     .message =
                         "the input was compressed with a zstd window of more than 134217728 bytes (zstd --long); "
                         "compress it with a smaller one",
                     .file = path};
      }
      if (state == State::Inside && raw_begin == raw_end && file_ended) return damaged("it ends in the middle");
    }
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
    if (number == 1) line = api::without_byte_order_mark(line);
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
  if (S_ISDIR(info.st_mode)) return os_error(EISDIR, "cannot read the input", impl->path);
  if (S_ISREG(info.st_mode)) impl->bytes_total = static_cast<std::uint64_t>(info.st_size);
  STELE_TRY(impl->start());
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
