#include "api/audit/file_anchor.h"

#include <algorithm>

namespace stele::api {

namespace {
constexpr std::string_view kNoteEnd = "\n\n";
}  // namespace

Status FileAnchor::write(const AnchoredNote& note) {
  STELE_ASSIGN(const bool exists, files_.exists(path_));
  STELE_ASSIGN(const auto file, files_.open(path_, OpenMode::OpenOrCreate));
  // Another log may be anchored there; where there are no locks, only one may.
  if (Status locked = file->lock(); !locked && locked.error().kind != ErrorKind::Unsupported) return locked;
  STELE_ASSIGN(const std::uint64_t size, file->size());
  std::string end(std::min<std::uint64_t>(size, kNoteEnd.size()), '\0');
  STELE_TRY(file->read_at(ByteOffset{size - end.size()}, end));
  // What was not written to its end is left as it is, and ends here.
  std::string bytes(size == 0 || end == kNoteEnd ? std::string_view() : kNoteEnd);
  bytes += format_note(note.note) + "\n";
  STELE_TRY(file->write_at(ByteOffset{size}, bytes));
  STELE_TRY(file->sync_data());
  STELE_TRY(file->close());
  if (exists) return {};
  const auto slash = path_.rfind('/');
  return files_.sync_directory(slash == std::string::npos ? "." : path_.substr(0, std::max(slash, std::size_t{1})));
}

}  // namespace stele::api
