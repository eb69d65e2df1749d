#include "engine/recovery/decision_table.h"

#include <array>

#include "engine/base/check.h"

namespace stele {
namespace {

using enum RecoveryAction;

constexpr std::uint32_t kBadHeader = kHeaderDamaged | kForeignMagic | kNewerVersion | kOtherStore | kOtherNumber;

constexpr std::array kSegmentCases = {
    RecoveryCase{"missing-segment", kNumberMissing, 0, Refuse, ErrorKind::Corrupt,
                 "a segment file in the middle of the log is missing"},
    RecoveryCase{"damaged-header", kHeaderDamaged, kNumberMissing, Refuse, ErrorKind::Corrupt,
                 "the segment's header cannot be trusted"},
    RecoveryCase{"foreign-file", kForeignMagic, kNumberMissing | kHeaderDamaged, Refuse, ErrorKind::Foreign,
                 "a file with a segment's name was not written by Stele"},
    RecoveryCase{"newer-version", kNewerVersion, kNumberMissing | kHeaderDamaged | kForeignMagic, Refuse,
                 ErrorKind::NewerFormat, "the segment was written by a newer version"},
    RecoveryCase{"other-store", kOtherStore, kNumberMissing | kHeaderDamaged | kForeignMagic | kNewerVersion, Refuse,
                 ErrorKind::Foreign, "the segment belongs to another store"},
    RecoveryCase{"misnamed", kOtherNumber,
                 kNumberMissing | kHeaderDamaged | kForeignMagic | kNewerVersion | kOtherStore, Refuse,
                 ErrorKind::Foreign, "the segment's number differs from its file name"},
    RecoveryCase{"last", kLast, kNumberMissing | kBadHeader, DecideTail, ErrorKind::Corrupt,
                 "the newest segment: what stands behind its groups decides"},
    RecoveryCase{"sealed", kFooterFound, kLast | kNumberMissing | kBadHeader, Read, ErrorKind::Corrupt,
                 "a whole, sealed segment"},
    RecoveryCase{"damaged-in-an-older-segment", 0, kFooterFound | kLast | kNumberMissing | kBadHeader, Refuse,
                 ErrorKind::Corrupt, "groups or footer of a segment are damaged, and a later segment exists"},
};

constexpr std::array kTailCases = {
    RecoveryCase{"damaged-in-the-middle", kLaterGroup, 0, Refuse, ErrorKind::Corrupt,
                 "a group is damaged and a later group is whole, so acknowledged records are damaged"},
    RecoveryCase{"durable-records-missing", kBelowDurable, kLaterGroup, Refuse, ErrorKind::Corrupt,
                 "the state file or the index knows of durable records behind the end of what can be read"},
    RecoveryCase{"sealed", kSealed, kLaterGroup | kBelowDurable, NextSegment, ErrorKind::Corrupt,
                 "the newest segment is full and sealed"},
    RecoveryCase{"clean", 0, kLaterGroup | kBelowDurable | kSealed | kBytesBehind, Continue, ErrorKind::Corrupt,
                 "the log ends with a whole group"},
    RecoveryCase{"stale-frame", kBytesBehind | kFrameWhole, kLaterGroup | kBelowDurable | kSealed | kFooterHeader, Cut,
                 ErrorKind::Corrupt, "a whole frame that does not continue the chain, left from before a cut"},
    RecoveryCase{"torn-footer", kBytesBehind | kFrameHeader | kFooterHeader, kLaterGroup | kBelowDurable | kSealed, Cut,
                 ErrorKind::Corrupt, "sealing was interrupted: no record is affected"},
    RecoveryCase{"torn-group", kBytesBehind | kFrameHeader,
                 kLaterGroup | kBelowDurable | kSealed | kFrameWhole | kFooterHeader, Cut, ErrorKind::Corrupt,
                 "the last group was being written: it was never acknowledged"},
    RecoveryCase{"torn-frame-header", kBytesBehind | kStartsNonZero,
                 kLaterGroup | kBelowDurable | kSealed | kFrameHeader, Cut, ErrorKind::Corrupt,
                 "the last frame's header was being written: it was never acknowledged"},
    RecoveryCase{"zero-filled", kBytesBehind, kLaterGroup | kBelowDurable | kSealed | kStartsNonZero, Cut,
                 ErrorKind::Corrupt, "later sectors of an unfinished group reached the disk, its first did not"},
};

}  // namespace

std::span<const RecoveryCase> segment_cases() { return kSegmentCases; }
std::span<const RecoveryCase> tail_cases() { return kTailCases; }

bool tail_flags_possible(std::uint32_t flags) {
  const auto implies = [flags](std::uint32_t a, std::uint32_t b) { return (flags & a) == 0 || (flags & b) == b; };
  const bool nested = implies(kFrameWhole, kFrameHeader) && implies(kFooterHeader, kFrameHeader) &&
                      implies(kFrameHeader, kStartsNonZero) && implies(kStartsNonZero, kBytesBehind) &&
                      implies(kLaterGroup, kBytesBehind);
  // Behind a whole footer nothing is looked at.
  const std::uint32_t behind = kBytesBehind | kStartsNonZero | kFrameHeader | kFrameWhole | kFooterHeader | kLaterGroup;
  return nested && ((flags & kSealed) == 0 || (flags & behind) == 0);
}

const RecoveryCase& decide(std::span<const RecoveryCase> cases, std::uint32_t flags) {
  for (const RecoveryCase& row : cases) {
    if (row.applies(flags)) return row;
  }
  check_failed("a recovery case applies", __FILE__, __LINE__);
}

}  // namespace stele
