#pragma once
// Reads the segments of a log in order, in pieces of whole groups, and goes on behind what is damaged. Checks what ties
// groups and segments together; the records inside are check_piece()'s. Nothing is written or locked.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/file_system.h"
#include "engine/log/log_writer.h"
#include "engine/log/state_file.h"
#include "engine/verify/finding.h"

namespace stele {

/// A group in a piece.
struct PieceGroup {
  FrameHeader header;
  std::size_t begin = 0;  ///< of its frame, in the bytes of the piece
  bool is_whole = true;   ///< its checksum holds; otherwise what stands around it says where it begins and ends
};

/// The footer behind a segment's last group.
struct PieceFooter {
  ByteOffset offset;
  std::uint32_t records = 0;
  std::uint64_t offsets_hash = 0;  ///< XXH3 of its offsets
};

struct LogPiece {
  SegmentId segment;
  std::string path;
  std::uint64_t offset = 0;  ///< in the file, of `bytes`
  std::string bytes;
  std::uint64_t missing = 0;  ///< records before the first group that cannot be read
  std::vector<PieceGroup> groups;
  /// Only if all groups of the segment could be found.
  std::optional<PieceFooter> footer;
  std::vector<Finding> findings;  ///< about what stands before the groups
};

/// One thread.
class LogWalk {
 public:
  struct Options {
    FileSystem* file_system = nullptr;
    std::string folder;  ///< that of the segments
    std::optional<DurableState> state;
    /// Another process appends to the log: nothing behind what the state says is looked at.
    bool beside_owner = false;
    std::uint64_t piece_bytes = 1U << 20;  ///< a piece has at least one group, however long
  };
  /// Looks at the folder and at the headers of the segments. NotFound: there is no log; Corrupt: no segment tells which
  /// store it is of.
  [[nodiscard]] static Result<std::unique_ptr<LogWalk>> open(Options options);
  ~LogWalk();

  /// The next piece; false if there is none. Io and NewerFormat end the walk.
  [[nodiscard]] Result<bool> next(LogPiece& piece);

  /// Beside an owner: what has become durable since, for next() to go on with.
  [[nodiscard]] Status extend(const DurableState& state);

  [[nodiscard]] const Uuid& store_id() const { return store_id_; }
  [[nodiscard]] std::size_t segments() const { return segments_.size(); }
  [[nodiscard]] std::uint64_t bytes_total() const { return bytes_total_; }
  [[nodiscard]] std::uint64_t bytes_read() const { return bytes_before_ + at_; }
  /// Behind the last group so far.
  [[nodiscard]] const LogEnd& end() const { return chain_; }
  /// The last segment ends in bytes that are no group, or the state knows of more: what is missing was here once.
  [[nodiscard]] bool was_cut() const { return was_cut_; }
  /// What an operator should read although it is no fault.
  [[nodiscard]] const std::vector<std::string>& notes() const { return notes_; }

 private:
  explicit LogWalk(Options options) : options_(std::move(options)) {}

  [[nodiscard]] Status look_at_folder();
  [[nodiscard]] Status begin_segment(LogPiece& piece);
  void end_segment();
  /// Takes whole groups that continue the log, and the footer.
  [[nodiscard]] Status take_groups(LogPiece& piece);
  /// Whether the file has so many bytes at `at_`; then they are in the piece.
  [[nodiscard]] Result<bool> load(LogPiece& piece, std::uint64_t length);
  [[nodiscard]] bool is_next(const FrameHeader& group) const;
  [[nodiscard]] bool is_end(const FrameHeader& footer) const;
  /// Goes on behind what does not continue the log at `at_`.
  [[nodiscard]] Status pass_trouble(LogPiece& piece);
  [[nodiscard]] Status end_log(LogPiece& piece);
  void take(LogPiece& piece, const FrameHeader& header, bool is_whole);
  void jump_to(LogPiece& piece, const FrameHeader& header, std::uint64_t offset);
  [[nodiscard]] Finding finding_here(Verdict verdict, std::string text) const;
  [[nodiscard]] SegmentHeader segment() const { return SegmentHeader{store_id_, segments_[index_], {}}; }
  [[nodiscard]] bool is_last() const { return index_ + 1 == segments_.size(); }
  [[nodiscard]] bool reached_bound() const;

  Options options_;
  Uuid store_id_;
  std::vector<SegmentId> segments_;
  std::uint64_t bytes_total_ = 0;
  std::vector<std::string> notes_;
  LogEnd chain_;
  bool was_cut_ = false;
  bool ended_ = false;

  // The segment that is read.
  std::size_t index_ = 0;
  std::unique_ptr<File> file_;
  std::string path_;
  std::uint64_t size_ = 0;
  std::uint64_t at_ = 0;
  std::uint64_t bytes_before_ = 0;
  Position segment_first_;
  bool is_broken_ = false;  ///< some of its groups were not found
  bool is_sealed_ = false;  ///< its footer was found
};

}  // namespace stele
