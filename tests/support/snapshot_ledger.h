#pragma once
// What a snapshot store was told, and what it may therefore answer.

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/digest.h"
#include "engine/snapshots/snapshot_store.h"

namespace stele::test {

class SnapshotLedger {
 public:
  using Key = std::pair<std::string, std::string>;
  /// How much is expected of an answer: nothing that could not be right · and nothing that is sure is passed over · and
  /// nothing superseded.
  enum class Expect { NothingWrong, AllThatIsSure, ExactlyThat };

  void put(const Key& key, std::uint64_t sequence, std::string state, std::uint32_t keep) {
    Puts& puts = keys_[key][sequence];
    puts.states.push_back(std::move(state));
    puts.keep = std::min(puts.keep, keep);
  }

  /// Everything put since the last crash or loss must be there from now on.
  void all_is_sure() {
    for (auto& [key, sequences] : keys_) {
      for (auto& [sequence, puts] : sequences) {
        if (puts.states.size() > puts.perhaps_lost) puts.sure = puts.states.size();
      }
    }
  }

  /// What is not sure may be lost.
  void crashed() {
    for (auto& [key, sequences] : keys_) {
      for (auto& [sequence, puts] : sequences) puts.perhaps_lost = puts.states.size();
    }
  }

  /// There may have been a loss: everything put so far may be there or not.
  void nothing_is_sure() {
    for (auto& [key, sequences] : keys_) unsure(sequences);
  }

  void remove(const std::string& aggregate) {
    std::erase_if(keys_, [&](const auto& entry) { return entry.first.first == aggregate; });
  }

  /// A deletion that was not acknowledged: it may have happened or not.
  void may_be_removed(const std::string& aggregate) {
    for (auto& [key, sequences] : keys_) {
      if (key.first == aggregate) unsure(sequences);
    }
  }

  /// The answer is a state put since the last deletion, at or before `at_most`.
  void check(const Key& key, std::uint64_t at_most, const std::optional<Snapshot>& got, Expect expect) const {
    CAPTURE(key.first);
    CAPTURE(key.second);
    CAPTURE(at_most);
    const auto found = keys_.find(key);
    std::uint64_t least = 0;
    if (found != keys_.end() && expect != Expect::NothingWrong) {
      std::uint32_t left = kSnapshotKeepMax;
      for (auto at = found->second.rbegin(); at != found->second.rend() && least == 0; ++at, --left) {
        left = std::min(left, at->second.keep);
        if (left == 0) break;
        if (at->first <= at_most && at->second.sure > 0) least = at->first;
      }
    }
    if (!got) {
      REQUIRE(least == 0);
      return;
    }
    REQUIRE(found != keys_.end());
    const std::uint64_t sequence = got->sequence.value();
    REQUIRE(sequence <= at_most);
    REQUIRE(sequence >= least);
    if (expect == Expect::ExactlyThat) REQUIRE(sequence == least);
    const auto puts = found->second.find(sequence);
    REQUIRE(puts != found->second.end());
    const auto& states = puts->second.states;
    const std::size_t oldest = expect == Expect::NothingWrong || puts->second.sure == 0 ? 0 : puts->second.sure - 1;
    REQUIRE(std::find(states.begin() + static_cast<std::ptrdiff_t>(oldest), states.end(), got->state) != states.end());
    REQUIRE(got->fingerprint == sha256({got->state}));
  }

 private:
  struct Puts {
    std::vector<std::string> states;  // each replaces the one before
    std::uint32_t keep = kSnapshotKeepMax;
    std::size_t sure = 0;          // so many of them are sure to have arrived
    std::size_t perhaps_lost = 0;  // so many of them may be gone, apart from those
  };
  using Sequences = std::map<std::uint64_t, Puts>;

  static void unsure(Sequences& sequences) {
    for (auto& [sequence, puts] : sequences) {
      puts.sure = 0;
      puts.perhaps_lost = puts.states.size();
    }
  }

  std::map<Key, Sequences> keys_;
};

/// Keys that a careless encoding would mix up.
inline const std::vector<SnapshotLedger::Key>& snapshot_sample_keys() {
  static const std::vector<SnapshotLedger::Key> keys = [] {
    const std::vector<std::string> ids = {"a",         "ab",       std::string("a\0", 2),    std::string("\0", 1),
                                          "\x01",      "\xff\xff", std::string(255, '\xff'), "mission/1",
                                          "mission/10"};
    const std::vector<std::string> names = {"b", "fold", std::string("\0\0", 2), std::string(255, '\0')};
    std::vector<SnapshotLedger::Key> all;
    for (const auto& id : ids) {
      for (const auto& name : names) all.emplace_back(id, name);
    }
    return all;
  }();
  return keys;
}

/// Stands still until it is told to go on.
class SteppedClock final : public Clock {
 public:
  [[nodiscard]] Timestamp now() const override { return Timestamp{1'767'323'045'000'000 + micros_}; }
  [[nodiscard]] std::int64_t monotonic_micros() const override { return micros_; }
  void step(std::chrono::microseconds by) { micros_ += by.count(); }

 private:
  std::int64_t micros_ = 0;
};

}  // namespace stele::test
