// Whose signatures count for somebody who trusts one key of a log.

#include "api/audit/key_trust.h"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/support/fake_clock.h"

namespace stele::api::test {
namespace {

NoteSigner trial_key() { return *NoteSigner::generate("stele", NoteKeyKind::Ed25519); }

/// The events of a log's keys, at positions that are told.
struct KeyEvents {
  stele::test::FakeClock clock;
  std::vector<std::pair<std::uint64_t, RecordDraft>> events;

  void added(std::uint64_t position, const NoteSigner& key, const NoteSigner* by) {
    events.emplace_back(position, key_added("stele", key.verifier(), by, clock));
  }
  void retired(std::uint64_t position, const NoteSigner& key) {
    events.emplace_back(position, key_retired("stele", key.verifier(), clock));
  }
  [[nodiscard]] KeyTrust seen_by(std::optional<NoteVerifier> trusted) const {
    KeyTrust trust(std::move(trusted));
    for (const auto& [position, event] : events) {
      RecordHeader header;
      header.kind = RecordKind::Event;
      header.position = Position{position};
      header.aggregate_id = event.aggregate_id;
      header.event_type = event.event_type;
      trust.take(header, *event.data);
    }
    return trust;
  }
};

using Keys = std::vector<NoteVerifier>;

}  // namespace

TEST_CASE("KeyTrust.FollowsWhatTheTrustedKeyVouchesFor") {
  const NoteSigner first = trial_key(), second = trial_key(), third = trial_key(), stranger = trial_key();
  KeyEvents log;
  log.added(1, first, nullptr);
  log.added(10, second, &first);
  log.retired(20, first);
  log.added(30, third, &second);
  log.added(40, stranger, nullptr);

  const KeyTrust by_first = log.seen_by(first.verifier());
  CHECK(by_first.names_trusted());
  CHECK(by_first.keys_at(2) == Keys{first.verifier()});
  // From the position of the event that announces it, which the tree then holds.
  CHECK(by_first.keys_at(10) == Keys{first.verifier()});
  CHECK(by_first.keys_at(11) == Keys{first.verifier(), second.verifier()});
  CHECK(by_first.keys_at(20) == Keys{first.verifier(), second.verifier()});
  CHECK(by_first.keys_at(21) == Keys{second.verifier()});
  CHECK(by_first.keys_at(100) == Keys{second.verifier(), third.verifier()});
  // Who vouches for a trusted key is not to be trusted for that.
  CHECK(log.seen_by(second.verifier()).keys_at(11) == Keys{second.verifier()});
  CHECK(log.seen_by(second.verifier()).keys_at(100) == Keys{second.verifier(), third.verifier()});
  CHECK(log.seen_by(stranger.verifier()).keys_at(100) == Keys{stranger.verifier()});
  // Without one to begin with, what the log vouches for itself.
  CHECK(log.seen_by(std::nullopt).keys_at(100) == Keys{second.verifier(), third.verifier()});
}

TEST_CASE("KeyTrust.AKeyThatTheLogDoesNotNameCountsAlone") {
  const NoteSigner first = trial_key(), other = trial_key(), forger = trial_key();
  KeyEvents log;
  log.added(1, first, nullptr);
  log.added(10, forger, &forger);
  const KeyTrust trust = log.seen_by(other.verifier());
  CHECK(!trust.names_trusted());
  CHECK(trust.keys_at(100) == Keys{other.verifier()});
  CHECK(log.seen_by(first.verifier()).keys_at(100) == Keys{first.verifier()});
}

}  // namespace stele::api::test
