#pragma once
// Takes members of stored bodies out of the log, while header, leaf and position of their records stay, so that every
// proof made before or after still holds. A sealed segment is written anew beside the old one and takes its place by
// one rename; nothing else on the disk refers to places in it (format-spec.md, "Redaction").

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/base/file_system.h"
#include "engine/base/mutex.h"
#include "engine/base/rate_limiter.h"
#include "engine/log/log_guard.h"
#include "engine/log/segment_set.h"
#include "engine/redaction/redaction.h"

namespace stele {

struct RedactorParts {
  FileSystem* file_system;
  std::string log_folder;
  LogGuard* guard;
  std::uint64_t bytes_per_second;  ///< that are written; 0 = as fast as may be
  SegmentSet& segments;
  std::function<Position()> durable_end;
  /// Seals a segment if it is the active one: Committer::seal().
  std::function<Status(SegmentId)> seal;
};

/// Thread-safe; one call at a time works, the others wait.
class Redactor {
 public:
  explicit Redactor(RedactorParts parts) : parts_(std::move(parts)), limiter_(parts_.bytes_per_second) {}
  Redactor(const Redactor&) = delete;

  /// On return the members are in no file of the log folder, and that is durable. What was redacted before, or never
  /// was there, is passed over, so that a call may be repeated, after a crash too: until all of it is done a record has
  /// all of these members or none. If a position lies in the active segment, that is sealed. Appends go on meanwhile,
  /// and readers: with what they have begun to read, or with the record as it is now.
  ///
  /// A file that a reader has mapped lasts until he lets go of it. RedactionCounts tells whether all have.
  ///
  /// InvalidArgument: the positions do not ascend, or are not durable. TooLarge: the segment would be beyond the limit
  /// of the format. Corrupt: the segment is damaged, and stays as it is. DiskFull, Io: what was done stays done, the
  /// rest may be tried again, unless it was the rename that could not be made durable: then Poisoned, until the store
  /// is opened again. Closed: ended by the watch, its gate or stop(). Displaced.
  [[nodiscard]] Result<RedactionCounts> redact(std::span<const RedactionTarget> targets, const RedactionWatch& watch);

  /// Ends the call at work, and waits for it. None works afterwards.
  void stop();

 private:
  [[nodiscard]] Status redact_segment(SegmentId id, std::span<const RedactionTarget> targets,
                                      const RedactionWatch& watch, const RedactionProgress& progress,
                                      RedactionCounts& counts) REQUIRES(mutex_);
  [[nodiscard]] Result<std::vector<RedactionTarget>> still_there(const Segment& segment,
                                                                 std::span<const RedactionTarget> targets,
                                                                 const RedactionWatch& watch,
                                                                 const RedactionProgress& progress,
                                                                 RedactionCounts& counts) const;
  [[nodiscard]] Status put_in_place(const std::string& rewritten, std::shared_ptr<const Segment> made,
                                    const RedactionWatch& watch) REQUIRES(mutex_);
  [[nodiscard]] bool wait_for_readers(const RedactionWatch& watch, const RedactionProgress& progress);
  [[nodiscard]] Status may_go_on(const RedactionWatch& watch, const RedactionProgress& progress) const;

  const RedactorParts parts_;
  RateLimiter limiter_;
  Mutex mutex_;
  std::string unsure_ GUARDED_BY(mutex_);  // why it is not known what a rename has left on the disk
};

}  // namespace stele
