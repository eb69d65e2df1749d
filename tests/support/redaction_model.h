#pragma once
// A small store whose bodies are known, for tests that redact them: what every record was, and what it may be now.

#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <vector>

#include "engine/audit/merkle_frontier.h"
#include "engine/redaction/redaction.h"
#include "engine/store/store.h"
#include "tests/support/sample_store.h"

namespace stele::test {

/// The event at this position; its members are found nowhere else.
inline Proposal secret_proposal(std::uint64_t position) {
  const auto text = [&](const char* what, std::size_t bytes) {
    std::string made = std::string("\"") + what + " of " + std::to_string(position) + ".";
    made.resize(std::max(made.size(), bytes), static_cast<char>('a' + position % 26));
    return made + "\"";
  };
  Proposal proposal = sample_proposal(position);
  RecordDraft& draft = proposal.events.front();
  switch (position % 5) {
    case 0:
      draft.data = "{}";
      break;
    case 1:
      draft.data = text("facts", 10'000);
      break;
    case 2:
      draft.data.reset();
      draft.metadata = text("metadata", 40);
      break;
    default:
      draft.data = text("facts", 20 + position % 90);
      draft.metadata = text("metadata", 30);
      draft.private_fields = text("private", 25);
  }
  draft.seal();
  return proposal;
}

inline void append_secrets(Store& store, std::uint64_t events) {
  for (std::uint64_t i = 0; i < events; ++i) {
    const AppendOutcome outcome = store.append_and_wait(secret_proposal(store.durable_end().value()));
    REQUIRE_MESSAGE(outcome.kind == AppendOutcome::Kind::Stored, outcome.detail);
  }
}

class RedactionModel {
 public:
  /// Takes what the store holds beyond what is known.
  void learn(const Store& store) {
    Record record;
    const auto view = store.view();
    for (Position p{known_.size()}; p < view->end(); p = p.next()) {
      REQUIRE(view->read(p, record));
      Known& known = known_.emplace_back();
      known.header = record.header_bytes();
      known.leaf = record.leaf();
      known.members = record.members();
      const auto copy = [](const std::optional<std::string_view>& member) {
        return member ? std::optional<std::string>(*member) : std::nullopt;
      };
      known.bodies = {copy(record.body().data), copy(record.body().metadata), copy(record.body().private_fields)};
      tree_.append(known.leaf);
    }
  }

  /// These may be gone from now on.
  void begin(const std::vector<RedactionTarget>& targets) {
    for (const RedactionTarget& target : targets) {
      Known& known = known_.at(target.position.value());
      known.may_be_gone = known.may_be_gone.with(target.members.common(known.members));
    }
  }
  /// Whatever may be gone is.
  void done() {
    for (Known& known : known_) known.gone = known.may_be_gone;
  }

  void check(const ReadView& view) const {
    REQUIRE(view.end() >= Position{known_.size()});
    Record record;
    for (std::size_t i = 0; i < known_.size(); ++i) {
      CAPTURE(i);
      const Known& known = known_[i];
      const Status read = view.read(Position{i}, record);
      REQUIRE_MESSAGE(read, (read ? "" : read.error().describe()));
      REQUIRE(record.header_bytes() == known.header);
      REQUIRE(record.leaf() == known.leaf);
      REQUIRE(record.members() == known.members);
      const BodyMemberSet gone = record.redacted_members();
      // A record loses all that it is to lose at once.
      REQUIRE((gone == known.gone || gone == known.may_be_gone));
      const std::optional<std::string_view> bodies[] = {record.body().data, record.body().metadata,
                                                        record.body().private_fields};
      for (const BodyMember member : kBodyMembers) {
        const auto at = static_cast<std::size_t>(member);
        REQUIRE(bodies[at].has_value() == known.members.without(gone).has(member));
        if (bodies[at]) REQUIRE(*bodies[at] == *known.bodies[at]);
      }
    }
  }
  void check(const Store& store) const {
    check(*store.view());
    if (store.durable_end() == Position{known_.size()}) REQUIRE(store.head().root == tree_.root());
  }

  /// What is gone must not be in any of these, as far as it is long enough to be found.
  void check_nowhere(const FileContents& files) const {
    for (const Known& known : known_) {
      for (const BodyMember member : kBodyMembers) {
        const auto& bytes = known.bodies[static_cast<std::size_t>(member)];
        if (!known.gone.has(member) || bytes->size() < 8) continue;
        for (const auto& [path, contents] : files) {
          CAPTURE(path);
          REQUIRE(contents.find(bytes->substr(1, bytes->find('.'))) == std::string::npos);
        }
      }
    }
  }

  [[nodiscard]] std::uint64_t size() const { return known_.size(); }

 private:
  struct Known {
    std::string header;
    Digest leaf{};
    BodyMemberSet members;
    std::array<std::optional<std::string>, 3> bodies;
    BodyMemberSet gone;
    BodyMemberSet may_be_gone;
  };
  std::vector<Known> known_;
  MerkleFrontier tree_;
};

}  // namespace stele::test
