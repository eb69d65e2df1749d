#pragma once
// Many events and what proves them in one file, for whoever has neither server nor folder: format-spec.md, "Bundle".
// Lines of JSON: a head, the proof of each event as GET /v1/events/{eventId}/proof gives it, an end.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/audit/note_key.h"
#include "engine/log/record.h"

namespace stele::api {

/// A line holds the body of an event in base64, and the event may be as large as a server takes it.
inline constexpr std::size_t kBundleLineBytesMax = 64U << 20;

struct BundleHead {
  std::string origin;                         ///< of the log
  std::optional<std::string> aggregate_id{};  ///< all are events of this aggregate
  std::string from{};                         ///< else those of a time; empty = without a bound
  std::string to{};
  std::vector<std::string> vkeys{};  ///< for whoever has none; they prove nothing by themselves
};

/// Without a line feed.
[[nodiscard]] std::string bundle_head_line(const BundleHead& head);
[[nodiscard]] std::string bundle_end_line(std::uint64_t events);

/// Takes a bundle line by line. One thread; memory does not grow with the number of events.
class BundleVerifier {
 public:
  /// `keys` are those that are trusted.
  explicit BundleVerifier(std::vector<NoteVerifier> keys) : keys_(std::move(keys)) {}

  /// InvalidArgument: this is no line of a bundle in this place. Corrupt says what does not hold. Nothing is taken
  /// behind an error.
  [[nodiscard]] Status take(std::string_view line);
  /// InvalidArgument: the bundle has no end.
  [[nodiscard]] Status finish() const;

  [[nodiscard]] const BundleHead& head() const { return head_; }
  [[nodiscard]] std::uint64_t events() const { return events_; }
  [[nodiscard]] std::uint64_t redacted() const { return redacted_; }  ///< events that show some members as digests only
  /// Size of the greatest tree that one was proven in.
  [[nodiscard]] std::uint64_t tree_size() const { return tree_size_; }
  /// Of an aggregate: every number from 1 to this one is there; 0 = some are missing.
  [[nodiscard]] std::uint64_t complete_to() const { return is_complete_ ? events_ : 0; }

 private:
  [[nodiscard]] Status take_head(std::string_view line);
  [[nodiscard]] Status take_event(std::string_view line);

  const std::vector<NoteVerifier> keys_;
  BundleHead head_;
  bool has_head_ = false;
  bool has_end_ = false;
  bool is_complete_ = false;
  std::uint64_t events_ = 0;
  std::uint64_t redacted_ = 0;
  std::uint64_t tree_size_ = 0;
  std::uint64_t last_position_ = 0;
  Record record_;
};

}  // namespace stele::api
