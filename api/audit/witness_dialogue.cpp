#include "api/audit/witness_dialogue.h"

#include <fmt/core.h>

#include <array>
#include <utility>

#include "engine/audit/witness_request.h"

namespace stele::api {

namespace {

using VerdictKind = WitnessDialogue::Verdict::Kind;

constexpr std::string_view kAddCheckpoint = "/add-checkpoint";

WitnessDialogue::Verdict without_cosignature(VerdictKind kind, std::string detail) {
  return {.kind = kind, .cosignature = {}, .detail = std::move(detail)};
}

/// What a status other than 200 and 409 says.
std::string words_for(int status) {
  switch (status) {
    case 403:
      return "it does not know the key of this log (403)";
    case 404:
      return "it does not know this log, or there is no witness at this URL (404)";
    default:
      return fmt::format("it answers with {}", status);
  }
}

}  // namespace

WebhookRequest WitnessDialogue::request(const SignedNote& note, std::vector<Digest> path,
                                        std::chrono::milliseconds timeout) const {
  std::string url = address_.url;
  while (url.ends_with('/')) url.pop_back();
  return {.url = url.append(kAddCheckpoint),
          .headers = {{"Content-Type", "text/plain; charset=utf-8"}},
          .body = format_witness_request({.old_size = cosigned_size_, .path = std::move(path), .note = note}),
          .timeout = timeout};
}

WitnessDialogue::Verdict WitnessDialogue::take(const WebhookAnswer& answer, const SignedNote& note,
                                               std::uint64_t size) {
  if (answer.outcome != WebhookAnswer::Outcome::Answered)
    return without_cosignature(VerdictKind::Failed, answer.detail);
  switch (answer.status) {
    case 200:
      return take_cosignatures(answer.body, note, size);
    case 409:
      return take_size(answer.body, size);
    case 422:
      return without_cosignature(
          VerdictKind::Disputed,
          fmt::format("it says that this log does not continue the checkpoint of size {} that it has "
                      "cosigned (422)",
                      cosigned_size_));
    default:
      return without_cosignature(VerdictKind::Failed, words_for(answer.status));
  }
}

WitnessDialogue::Verdict WitnessDialogue::take_cosignatures(const std::string& lines, const SignedNote& note,
                                                            std::uint64_t size) {
  auto signatures = parse_signatures(lines);
  if (!signatures) return without_cosignature(VerdictKind::Failed, "its answer holds no cosignatures");
  const std::array keys{address_.verifier};
  for (NoteSignature& signature : *signatures) {
    // Others are none of its business.
    if (signature.key_name != address_.verifier.name() || signature.key_id != address_.verifier.id()) continue;
    const auto by = verified_by({.text = note.text, .signatures = {signature}}, keys);
    if (!by) return without_cosignature(VerdictKind::Failed, "its cosignature is not by its key");
    cosigned_size_ = size;
    return {.kind = VerdictKind::Cosigned, .cosignature = std::move(signature), .detail = {}};
  }
  return without_cosignature(VerdictKind::Failed, "it has cosigned with another key than it is known by");
}

WitnessDialogue::Verdict WitnessDialogue::take_size(const std::string& body, std::uint64_t size) {
  const auto theirs = parse_witnessed_size(body);
  if (!theirs) return without_cosignature(VerdictKind::Failed, "it answers with 409 and no size");
  const std::uint64_t before = std::exchange(cosigned_size_, *theirs);
  if (*theirs > size) {
    return without_cosignature(
        VerdictKind::Disputed,
        fmt::format("it has cosigned a checkpoint of size {}, beyond this log's of size {}: the log was "
                    "cut, or is an old copy",
                    *theirs, size));
  }
  if (*theirs == size && before == size) {
    return without_cosignature(VerdictKind::Disputed, fmt::format("it has cosigned another root of size {}", size));
  }
  if (*theirs == before)
    return without_cosignature(VerdictKind::Failed, "it answers with 409 and the size that it was asked with");
  return without_cosignature(VerdictKind::AskAgain, "it has cosigned another checkpoint meanwhile");
}

}  // namespace stele::api
