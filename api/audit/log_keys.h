#pragma once
// The keys whose signatures on checkpoints count, as the log itself says: events `$KeyAdded` and `$KeyRetired` of its
// aggregate `$key/<name>`. Each key but the first is endorsed by one before it, so that whoever trusts one key can
// follow to the newest.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/audit/note_key.h"
#include "engine/base/clock.h"
#include "engine/commit/proposal.h"
#include "engine/log/record.h"
#include "engine/store/read_view.h"

namespace stele::api {

inline constexpr std::string_view kKeyAggregatePrefix = "$key/";

struct LogKey {
  NoteVerifier verifier;
  Position from;                  ///< of the event that announced it: it signs trees that hold that event
  std::optional<Position> until;  ///< of the event that retired it; none = it still signs
  bool endorsed = true;           ///< by a key that signed at that time, or it is the first
  /// Those keys, by their place in LogKeys::all().
  std::vector<std::size_t> endorsers{};

  /// A tree of `size` leaves. One that is retired may still have signed what was signed before.
  [[nodiscard]] bool signs_at(std::uint64_t size) const {
    return from.value() < size && (!until || size <= until->value());
  }
};

/// One thread.
class LogKeys {
 public:
  /// The next event of an aggregate `$key/…`, in the order of the log; others are passed over.
  void take(const Record& record) { take(record.header(), record.body().data.value_or("")); }
  void take(const RecordHeader& header, std::string_view data);
  /// All that the log has announced.
  [[nodiscard]] static Result<LogKeys> read(const ReadView& view);

  [[nodiscard]] const std::vector<LogKey>& all() const { return keys_; }
  /// The one that was announced last; null if there is none.
  [[nodiscard]] const LogKey* current() const { return keys_.empty() ? nullptr : &keys_.back(); }
  /// Those that may sign a tree of `size` leaves.
  [[nodiscard]] std::vector<NoteVerifier> valid_at(std::uint64_t size) const;
  /// Events that make no sense.
  [[nodiscard]] std::size_t unreadable() const { return unreadable_; }

 private:
  std::vector<LogKey> keys_;
  std::size_t unreadable_ = 0;
};

/// The event that announces `key`; `by` endorses it, null for the first key or one that replaces a lost one.
[[nodiscard]] RecordDraft key_added(std::string_view origin, const NoteVerifier& key, const NoteSigner* by,
                                    const Clock& clock);
[[nodiscard]] RecordDraft key_retired(std::string_view origin, const NoteVerifier& key, const Clock& clock);

}  // namespace stele::api
