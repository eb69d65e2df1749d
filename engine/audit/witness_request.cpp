#include "engine/audit/witness_request.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "engine/base/base64.h"
#include "engine/base/digest.h"

namespace stele {

namespace {

constexpr std::string_view kOld = "old ";

Error no_request(const char* message) { return Error{.kind = ErrorKind::InvalidArgument, .message = message}; }

/// Decimal without leading zeros.
std::optional<std::uint64_t> parse_tree_size(std::string_view text) {
  std::uint64_t size = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), size);
  if (error != std::errc{} || end != text.data() + text.size() || std::to_string(size) != text) return std::nullopt;
  return size;
}

}  // namespace

std::string format_witness_request(const WitnessRequest& request) {
  std::string bytes = std::string(kOld) + std::to_string(request.old_size) + "\n";
  for (const Digest& hash : request.path) bytes += base64_encode(as_bytes(hash)) + "\n";
  return bytes + "\n" + format_note(request.note);
}

Result<WitnessRequest> parse_witness_request(std::string_view bytes) {
  if (bytes.size() > kWitnessRequestBytesMax) return no_request("the request is too long");
  const auto gap = bytes.find("\n\n");
  if (gap == std::string_view::npos) return no_request("the request has no empty line before a checkpoint");
  std::string_view lines = bytes.substr(0, gap + 1);
  if (!lines.starts_with(kOld)) return no_request("the request does not begin with the line `old <size>`");
  const auto first_end = lines.find('\n');
  const auto old_size = parse_tree_size(lines.substr(kOld.size(), first_end - kOld.size()));
  if (!old_size) return no_request("the size in the first line of the request is none");
  WitnessRequest request{.old_size = *old_size, .path = {}, .note = {}};
  lines.remove_prefix(first_end + 1);
  while (!lines.empty()) {
    if (request.path.size() == kWitnessPathMax) return no_request("the proof of the request has more than 63 lines");
    const auto end = lines.find('\n');
    const auto hash = base64_decode(lines.substr(0, end));
    Digest& to = request.path.emplace_back();
    if (!hash || hash->size() != to.size()) return no_request("a line of the proof is not the base64 of a hash");
    std::copy(hash->begin(), hash->end(), to.begin());
    lines.remove_prefix(end + 1);
  }
  STELE_ASSIGN(request.note, parse_note(bytes.substr(gap + 2)));
  return request;
}

Result<std::uint64_t> parse_witnessed_size(std::string_view bytes) {
  if (!bytes.ends_with('\n')) return no_request("the size of the witness does not end in a newline");
  const auto size = parse_tree_size(bytes.substr(0, bytes.size() - 1));
  if (!size) return no_request("the size of the witness is none");
  return *size;
}

}  // namespace stele
