#include "tools/client/remote_log.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "api/audit/event_proof.h"
#include "engine/base/digest.h"
#include "tools/client/problem.h"

namespace stele::tools {

namespace {

Error no_answer(const char* what) {
  return Error{.kind = ErrorKind::Corrupt, .message = std::string("the server's answer is ") + what};
}

}  // namespace

std::string tile_path(std::uint64_t index, std::uint64_t width) {
  std::string path = fmt::format("{:03}", index % 1000);
  for (index /= 1000; index > 0; index /= 1000) path = fmt::format("x{:03}/{}", index % 1000, path);
  return width == 256 ? path : fmt::format("{}.p/{}", path, width);
}

Result<HttpResponse> RemoteLog::get(std::string target) {
  HttpRequest request;
  request.target = std::move(target);
  STELE_ASSIGN(HttpResponse response, client_.send(request));
  if (response.status != 200) {
    return Error{.kind = response.status == 404 ? ErrorKind::NotFound : ErrorKind::Unsupported,
                 .message = request.target + " was refused: " + read_problem(response).describe()};
  }
  return response;
}

Result<CheckpointFile> RemoteLog::checkpoint() {
  STELE_ASSIGN(const HttpResponse response, get("/log/checkpoint"));
  CheckpointFile file;
  STELE_ASSIGN(file.note, parse_note(response.body));
  STELE_ASSIGN(file.checkpoint, parse_checkpoint(file.note.text));
  return file;
}

Result<std::vector<Digest>> RemoteLog::consistency(std::uint64_t from, std::uint64_t to) {
  STELE_ASSIGN(const HttpResponse response, get(fmt::format("/v1/audit/consistency?from={}&to={}", from, to)));
  return api::read_consistency_proof(response.body);
}

Result<std::vector<Digest>> RemoteLog::leaves(std::uint64_t tile, std::uint64_t width) {
  STELE_ASSIGN(const HttpResponse response, get("/log/tile/0/" + tile_path(tile, width)));
  if (response.body.size() != width * sizeof(Digest)) return no_answer("no tile of that many hashes");
  std::vector<Digest> leaves(width);
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    std::copy_n(response.body.begin() + static_cast<std::ptrdiff_t>(i * sizeof(Digest)), sizeof(Digest),
                reinterpret_cast<char*>(leaves[i].data()));
  }
  return leaves;
}

Result<std::optional<std::vector<Digest>>> RemoteLog::leaves_of_entries(std::uint64_t tile, std::uint64_t width) {
  using Found = std::optional<std::vector<Digest>>;
  HttpRequest request;
  request.target = "/log/tile/entries/" + tile_path(tile, width);
  STELE_ASSIGN(const HttpResponse response, client_.send(request));
  if (response.status == 401 || response.status == 403) return Found{};
  if (response.status != 200) {
    return Error{.kind = ErrorKind::Unsupported,
                 .message = request.target + " was refused: " + read_problem(response).describe()};
  }
  std::vector<Digest> leaves;
  for (std::string_view rest = response.body; !rest.empty();) {
    if (rest.size() < 2) return no_answer("no bundle of entries");
    const std::size_t length =
        (static_cast<std::size_t>(static_cast<unsigned char>(rest[0])) << 8) | static_cast<unsigned char>(rest[1]);
    if (rest.size() - 2 < length || leaves.size() == width) return no_answer("no bundle of that many entries");
    leaves.push_back(sha256({std::string_view("\0", 1), rest.substr(2, length)}));
    rest.remove_prefix(2 + length);
  }
  if (leaves.size() != width) return no_answer("no bundle of that many entries");
  return Found(std::move(leaves));
}

}  // namespace stele::tools
