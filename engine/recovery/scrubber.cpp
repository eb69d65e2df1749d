#include "engine/recovery/scrubber.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#include <chrono>
#include <new>

#include "engine/base/memory_reserve.h"
#include "engine/recovery/segment_scan.h"

namespace stele {
namespace {

constexpr int kScrubNice = 15;
/// A small store need not be read more often.
constexpr std::chrono::hours kPassEvery{1};

/// Uses up the rate as groups go by. Records are decoded, and so verified, before a visitor sees them.
class Pace final : public LogVisitor {
 public:
  Pace(RateLimiter& limiter, std::atomic<std::uint64_t>& bytes, const Segment& segment)
      : limiter_(limiter), bytes_(bytes), segment_(segment) {}
  Status record(const Record&, SegmentId, ByteOffset) override { return {}; }
  Status group(const LogPoint& point, bool) override {
    constexpr std::uint64_t kStep = 256 * 1024;
    const std::uint64_t read = point.offset.value() - paid_;
    if (read < kStep) return {};
    paid_ = point.offset.value();
    bytes_.fetch_add(read, std::memory_order_relaxed);
    // The file is not kept open for long once it was written anew.
    if (limiter_.take(read) && !segment_.replaced()) return {};
    return Error{.kind = ErrorKind::Closed, .message = "stopped"};
  }

 private:
  RateLimiter& limiter_;
  std::atomic<std::uint64_t>& bytes_;
  const Segment& segment_;
  std::uint64_t paid_ = 0;
};

}  // namespace

Scrubber::Scrubber(ScrubberOptions options, std::function<std::shared_ptr<const SegmentList>()> segments,
                   std::function<std::shared_ptr<const IndexView>()> index)
    : options_(options), segments_(std::move(segments)), index_(std::move(index)), limiter_(options.bytes_per_second) {}

Scrubber::~Scrubber() { stop(); }

void Scrubber::start() {
  if (options_.bytes_per_second > 0) thread_ = std::thread([this] { run(); });
}

void Scrubber::stop() {
  limiter_.stop();
  if (thread_.joinable()) thread_.join();
}

void Scrubber::run() {
  prepare_thread_memory();
  (void)prctl(PR_SET_NAME, "scrubber", 0UL, 0UL, 0UL);
  (void)setpriority(PRIO_PROCESS, 0, kScrubNice);  // of this thread only, on Linux
  for (;;) {
    const auto next = std::chrono::steady_clock::now() + kPassEvery;
    try {
      if (!pass()) return;
    } catch (const std::bad_alloc&) {
      // Next time.
    }
    if (!limiter_.wait_until(next)) return;
  }
}

bool Scrubber::pass() {
  for (std::size_t i = 0;; ++i) {
    // One at a time: a list would keep the files of segments that are written anew meanwhile.
    std::shared_ptr<const Segment> segment;
    if (const auto segments = segments_(); i + 1 < segments->size()) segment = (*segments)[i];
    if (!segment) break;
    if (segment->damaged()) continue;
    if (const Status status = scrub_segment(*segment); !status) {
      if (limiter_.stopped()) return false;
      segment->mark_damaged(status.error());
    }
  }
  // The list alone: a view would keep parts in memory for as long as the pass takes.
  const RunList runs = index_()->runs();
  for (const std::shared_ptr<const IndexRun>& run : runs) {
    if (!run->damaged() && !scrub_run(*run)) return false;
  }
  passes_.fetch_add(1, std::memory_order_relaxed);
  return true;
}

Status Scrubber::scrub_segment(const Segment& segment) {
  const auto opened = options_.file_system->open(segment.path(), OpenMode::Read);
  if (!opened && opened.error().kind == ErrorKind::Io) return {};  // too many open files, say: next time
  if (!opened) return opened.error();
  const std::unique_ptr<File>& file = *opened;
  STELE_ASSIGN(const std::uint64_t size, file->size());
  WindowReader in(*file, size);
  if (size < kSegmentHeaderBytes) return Error{.kind = ErrorKind::Corrupt, .message = "the segment is too short"};
  STELE_ASSIGN(const std::string_view head, in.few_bytes(0, kSegmentHeaderBytes));
  STELE_ASSIGN(const SegmentHeader header, decode_segment_header(head));
  if (header.segment != segment.id()) {
    return Error{.kind = ErrorKind::Corrupt, .message = "the segment has another number"};
  }
  // That the next segment continues this one is seen when the log is opened.
  STELE_ASSIGN(LogEnd chain, chain_before(in, header, segment.first()));
  Pace pace(limiter_, bytes_, segment);
  auto scan = scan_segment(in, header, chain, nullptr, pace);
  if (segment.replaced()) return {};
  if (!scan) return scan.error();
  if (scan->sealed) return {};
  return Error{.kind = ErrorKind::Corrupt, .message = "a group or the footer is damaged", .offset = scan->end.value()};
}

bool Scrubber::scrub_run(const IndexRun& run) {
  constexpr std::uint64_t kPages = 64;
  const PageFile& file = run.file();
  for (std::uint64_t page = 0; page < file.page_count(); page += kPages) {
    const std::uint64_t end = std::min(page + kPages, file.page_count());
    for (std::uint64_t at = page; at < end; ++at) {
      if (!file.scrub_page(at)) return true;  // marked; the compactor makes the run again
    }
    bytes_.fetch_add((end - page) * kPageBytes, std::memory_order_relaxed);
    if (!limiter_.take((end - page) * kPageBytes)) return false;
  }
  return true;
}

}  // namespace stele
