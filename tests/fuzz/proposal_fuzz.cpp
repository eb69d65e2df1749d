// Proposals as they come from an order that is made elsewhere.

#include "engine/base/bytes.h"
#include "engine/base/digest.h"
#include "engine/commit/commit_machine.h"
#include "engine/commit/proposal_codec.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/support/sample_proposal.h"

namespace stele {
namespace {

std::vector<std::string> seeds() {
  Proposal actions;
  actions.attached = test::sample_proposal().attached;
  Proposal bare;
  bare.events.push_back(test::sample_proposal().events[1]);
  return {encode_proposal(test::sample_proposal()), encode_proposal(actions), encode_proposal(bare)};
}

/// What is taken has one form, and the committer can take it.
void check(std::string_view bytes) {
  const auto decoded = decode_proposal(bytes);
  if (!decoded) return;
  STELE_CHECK(encode_proposal(*decoded) == bytes);
  Group group;
  CommitMachine machine(Position{0}, Timestamp{}, Position{0});
  machine.apply_genesis(Uuid{{1}}, "stele", Uuid{{2}}, Timestamp{1}, group);
  IndexSet index({}, Position{0}, 1000);
  const auto resolution = resolve(*decoded, index.snapshot(), Position{0});
  std::vector<std::optional<Position>> duplicates;
  if (resolution) (void)machine.apply(*decoded, *resolution, Timestamp{2}, group, duplicates);
}

/// The checksums of the proposal and of its first record, which no fuzzer guesses, put right.
std::string with_checksums(std::string_view input) {
  std::string bytes(input);
  constexpr std::size_t kEmptyCondition = 26 + 3 * sizeof(std::uint32_t);
  if (bytes.size() > kEmptyCondition + 1 + kRecordFrameBytes) {
    char* const record = bytes.data() + kEmptyCondition + 1;
    const std::size_t left = bytes.size() - kEmptyCondition - 1;
    const auto length = get_at<std::uint32_t>(record);
    if (kRecordFrameBytes <= length && length <= left) {
      put_at<std::uint64_t>(record + 8, xxh3({record, 8}, {record + kRecordFrameBytes, length - kRecordFrameBytes}));
    }
  }
  put<std::uint64_t>(bytes, xxh3(bytes));
  return bytes;
}

}  // namespace

FUZZ_TARGET(proposal, seeds) {
  check(fuzz::Exact(input).view());
  check(fuzz::Exact(with_checksums(input)).view());
  if (input.size() > sizeof(std::uint64_t)) {
    check(fuzz::Exact(with_checksums(input.substr(0, input.size() - sizeof(std::uint64_t)))).view());
  }
}

}  // namespace stele
