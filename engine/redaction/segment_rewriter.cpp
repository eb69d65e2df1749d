#include "engine/redaction/segment_rewriter.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "engine/base/bytes.h"
#include "engine/log/frame.h"
#include "engine/recovery/segment_scan.h"

namespace stele {
namespace {

constexpr std::uint64_t kRewriteBytes = 1ULL << 20;
/// In small steps, so that the sync of a group of the log never waits behind a big one.
constexpr std::uint64_t kRewriteSyncBytes = 8ULL << 20;

Error damaged(const std::string& path, std::uint64_t offset, std::string what) {
  return Error{.kind = ErrorKind::Corrupt, .message = std::move(what), .file = path, .offset = offset};
}

class Output {
 public:
  Output(File& file, RateLimiter* limiter) : file_(file), limiter_(limiter) {}

  [[nodiscard]] std::uint64_t offset() const { return written_ + buffer_.size(); }
  [[nodiscard]] Status append(std::string_view bytes) {
    buffer_.append(bytes);
    return buffer_.size() < kRewriteBytes ? Status{} : write();
  }
  [[nodiscard]] Status finish() {
    STELE_TRY(write());
    return file_.sync_data();
  }

 private:
  [[nodiscard]] Status write() {
    if (limiter_ != nullptr && !limiter_->take(buffer_.size())) {
      return Error{.kind = ErrorKind::Closed, .message = "the redaction was ended"};
    }
    STELE_TRY(file_.write_at(ByteOffset{written_}, buffer_));
    written_ += buffer_.size();
    unsynced_ += buffer_.size();
    buffer_.clear();
    if (unsynced_ < kRewriteSyncBytes) return {};
    unsynced_ = 0;
    return file_.sync_data();
  }

  File& file_;
  RateLimiter* const limiter_;
  std::string buffer_;
  std::uint64_t written_ = 0;
  std::uint64_t unsynced_ = 0;
};

/// The records that are to lose members, in the order of the segment.
class Targets {
 public:
  explicit Targets(std::span<const RedactionTarget> targets) : left_(targets) {}

  /// What the record at `position` is to lose; positions come in ascending order.
  [[nodiscard]] BodyMemberSet take(Position position) {
    if (left_.empty() || left_.front().position != position) return {};
    const BodyMemberSet members = left_.front().members;
    left_ = left_.subspan(1);
    return members;
  }

 private:
  std::span<const RedactionTarget> left_;
};

class Copy {
 public:
  Copy(const SegmentRewrite& rewrite, const Segment& old, std::span<const RedactionTarget> targets)
      : rewrite_(rewrite), old_(old), targets_(targets) {}

  [[nodiscard]] Status run(File& to) {
    STELE_ASSIGN(const std::unique_ptr<File> file, rewrite_.file_system->open(old_.path(), OpenMode::Read));
    STELE_ASSIGN(const std::uint64_t size, file->size());
    WindowReader in(*file, size);
    if (size < kSegmentHeaderBytes) return broken(0);
    STELE_ASSIGN(const std::string_view head, in.few_bytes(0, kSegmentHeaderBytes));
    STELE_ASSIGN(const SegmentHeader segment, decode_segment_header(head));
    if (segment.segment != old_.id()) return broken(0);
    Output out(to, rewrite_.limiter);
    STELE_TRY(out.append(head));
    STELE_ASSIGN(LogEnd chain, chain_before(in, segment, old_.first()));
    for (std::uint64_t at = kSegmentHeaderBytes;;) {
      STELE_TRY(rewrite_.go_on());
      STELE_ASSIGN(std::optional<FrameHeader> header, whole_frame(in, segment, at));
      if (!header || header->previous_link != chain.last_link) return broken(at);
      STELE_ASSIGN(const std::string_view frame, in.bytes(at, header->total_bytes()));
      if (header->kind == FrameKind::Footer) return copy_footer(*header, frame, at, out);
      if (header->group != chain.last_group.next() || header->first != chain.next) return broken(at);
      STELE_TRY(copy_group(*header, frame, at, out));
      chain.next = chain.next.plus(header->record_count);
      chain.last_group = header->group;
      chain.last_link = header->link;
      at += header->total_bytes();
    }
  }

 private:
  [[nodiscard]] Error broken(std::uint64_t at) const {
    return damaged(old_.path(), at, "the segment is damaged, and is not written anew");
  }
  [[nodiscard]] Error too_large() const {
    return Error{.kind = ErrorKind::TooLarge,
                 .message = "without these members the segment would be larger than a segment may be",
                 .file = old_.path()};
  }

  [[nodiscard]] Status copy_group(FrameHeader header, std::string_view frame, std::uint64_t at, Output& out) {
    frame_.assign(kFrameBytes, '\0');
    std::string_view payload = frame.substr(kFrameBytes);
    bool changed = false;
    for (std::uint32_t i = 0; i < header.record_count; ++i) {
      const auto length = record_length(payload);
      if (!length || *length > payload.size()) return broken(at);
      const std::string_view bytes = payload.substr(0, *length);
      payload.remove_prefix(*length);
      const std::uint64_t offset = out.offset() + frame_.size();
      if (offset > UINT32_MAX) return too_large();
      offsets_.push_back(static_cast<std::uint32_t>(offset));
      STELE_ASSIGN(const bool redacted, append_redacted(header.first.plus(i), bytes, at));
      changed = changed || redacted;
      if (!redacted) frame_.append(bytes);
    }
    if (!payload.empty()) return broken(at);
    if (!changed) return out.append(frame);
    if (frame_.size() > kRewrittenGroupBytesMax) return too_large();
    finish_rewritten_frame(frame_, header);
    return out.append(frame_);
  }

  /// The record without what it is to lose; false if that is nothing.
  [[nodiscard]] Result<bool> append_redacted(Position position, std::string_view bytes, std::uint64_t at) {
    const BodyMemberSet wanted = targets_.take(position);
    if (wanted.empty()) return false;
    std::copy(bytes.begin(), bytes.end(), record_.prepare(bytes.size()).data());
    STELE_TRY(record_.decode());
    if (record_.header().position != position) return broken(at);
    if (wanted.common(record_.members()).without(record_.redacted_members()).empty()) return false;
    append_redacted_record(frame_, record_, wanted);
    return true;
  }

  [[nodiscard]] Status copy_footer(const FrameHeader& header, std::string_view frame, std::uint64_t at, Output& out) {
    if (header.first != old_.first() || header.record_count != offsets_.size()) return broken(at);
    STELE_ASSIGN(Footer footer, decode_footer(header, frame.substr(kFrameBytes)));
    footer.groups_end = ByteOffset{out.offset()};
    const std::string bytes = encode_footer(header, footer, offsets_);
    if (out.offset() + bytes.size() > UINT32_MAX) return too_large();
    STELE_TRY(out.append(bytes));
    return out.finish();
  }

  const SegmentRewrite& rewrite_;
  const Segment& old_;
  Targets targets_;
  std::string frame_;
  std::vector<std::uint32_t> offsets_;
  Record record_;
};

/// Each record of the new file beside the same one of the old.
class Comparison final : public LogVisitor {
 public:
  Comparison(const SegmentRewrite& rewrite, const Segment& old, std::span<const RedactionTarget> targets)
      : rewrite_(rewrite), old_(old), targets_(targets) {}

  Status record(const Record& made, SegmentId, ByteOffset offset) override {
    STELE_TRY(old_.read(made.header().position, before_));
    const BodyMemberSet gone = targets_.take(made.header().position).common(before_.members());
    bool same = made.header_bytes() == before_.header_bytes() && made.leaf() == before_.leaf() &&
                made.redacted_members() == before_.redacted_members().with(gone);
    if (same && gone.empty()) {
      same = made.body().data == before_.body().data && made.body().metadata == before_.body().metadata &&
             made.body().private_fields == before_.body().private_fields;
    }
    return same ? Status{} : damaged(rewrite_.path, offset.value(), "a record was not written as it should be");
  }
  Status group(const LogPoint&, bool) override { return rewrite_.go_on(); }

 private:
  const SegmentRewrite& rewrite_;
  const Segment& old_;
  Targets targets_;
  Record before_;
};

/// Reads the new file as recovery would, and beside it the old one.
Result<std::shared_ptr<const Segment>> compare(const SegmentRewrite& rewrite, const Segment& old,
                                               std::span<const RedactionTarget> targets) {
  STELE_ASSIGN(const std::unique_ptr<File> file, rewrite.file_system->open(rewrite.path, OpenMode::Read));
  STELE_ASSIGN(const std::uint64_t size, file->size());
  WindowReader in(*file, size);
  if (size < kSegmentHeaderBytes) return damaged(rewrite.path, 0, "the file is shorter than it was written");
  STELE_ASSIGN(const std::string_view head, in.few_bytes(0, kSegmentHeaderBytes));
  STELE_ASSIGN(const SegmentHeader segment, decode_segment_header(head));
  STELE_ASSIGN(LogEnd chain, chain_before(in, segment, old.first()));
  Comparison comparison(rewrite, old, targets);
  STELE_ASSIGN(const SegmentScan scan, scan_segment(in, segment, chain, nullptr, comparison));
  if (!scan.sealed || scan.footer_end.value() != size || segment.segment != old.id()) {
    return damaged(rewrite.path, scan.end.value(), "a group was not written as it should be");
  }
  STELE_ASSIGN(std::unique_ptr<Mapping> mapping, file->map(size));
  return std::make_shared<const Segment>(old.id(), old.first(), old.path(), std::move(mapping), scan.offset_table);
}

}  // namespace

Result<std::shared_ptr<const Segment>> rewrite_segment(const SegmentRewrite& rewrite, const Segment& old,
                                                       std::span<const RedactionTarget> targets) {
  FileSystem& files = *rewrite.file_system;
  const auto make = [&]() -> Result<std::shared_ptr<const Segment>> {
    if (Status removed = files.remove(rewrite.path); !removed && removed.error().kind != ErrorKind::NotFound) {
      return removed.error();
    }
    {
      STELE_ASSIGN(const std::unique_ptr<File> file, files.open(rewrite.path, OpenMode::CreateNew));
      STELE_TRY(Copy(rewrite, old, targets).run(*file));
      STELE_TRY(file->close());
    }
    return compare(rewrite, old, targets);
  };
  auto made = make();
  if (!made) (void)files.remove(rewrite.path);
  return made;
}

}  // namespace stele
