#pragma once
// The log of a server as an auditor sees it from outside: checkpoint, proofs, tiles and entries (C2SP tlog-tiles).

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/audit/event_proof.h"
#include "engine/base/ids.h"
#include "engine/base/result.h"
#include "tools/client/http_client.h"
#include "tools/client/note_file.h"
#include "tools/client/retry.h"

namespace stele::tools {

/// Path of a tile behind its level: `x001/x234/067`, and `.p/<width>` behind it for one that is not full.
[[nodiscard]] std::string tile_path(std::uint64_t index, std::uint64_t width);

/// Not thread-safe. A server that is away or busy is asked again for as long as the sender does that. Io if an exchange
/// failed even so, Unsupported with the server's words for a refusal, Corrupt for an answer that is none.
class RemoteLog {
 public:
  explicit RemoteLog(RetryingSender& server) : server_(server) {}

  [[nodiscard]] Result<CheckpointFile> checkpoint();
  /// None if this caller may not see it.
  [[nodiscard]] Result<std::optional<std::vector<Digest>>> consistency(std::uint64_t from, std::uint64_t to);
  /// The first `width` hashes of a tile of level 0.
  [[nodiscard]] Result<std::vector<Digest>> leaves(std::uint64_t tile, std::uint64_t width);
  /// What they are made of: hashed header ‖ body digest of each. None if the server does not show it to this caller.
  [[nodiscard]] Result<std::optional<std::vector<std::string>>> entries(std::uint64_t tile, std::uint64_t width);
  /// The events of the log's keys in their order, with what proves them; nothing was verified. None if the server does
  /// not show them to this caller.
  [[nodiscard]] Result<std::optional<std::vector<api::EventProof>>> key_events(const std::string& origin);

 private:
  [[nodiscard]] Result<HttpResponse> get(std::string target);
  /// The body; none if the caller may not see it.
  [[nodiscard]] Result<std::optional<std::string>> get_if_shown(std::string target);

  RetryingSender& server_;
};

}  // namespace stele::tools
