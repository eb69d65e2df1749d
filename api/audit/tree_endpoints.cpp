#include "api/audit/tree_endpoints.h"

#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "api/audit/tree_refusal.h"
#include "api/http/bounded_read.h"
#include "api/http/parameters.h"
#include "api/json/json_writer.h"
#include "engine/audit/merkle_tree.h"
#include "engine/base/base64.h"

namespace stele::api {

namespace {

using CallPtr = std::shared_ptr<Call>;

constexpr std::uint64_t kNumberMax = std::numeric_limits<std::uint64_t>::max();
constexpr std::string_view kTilePrefix = "/log/tile/";
constexpr std::string_view kEntriesPrefix = "/log/tile/entries/";

Problem no_such_tile() {
  return {
      "not-found",
      "No signed checkpoint covers such a tile yet, or its path is not spelt as C2SP tlog-tiles has it: level, number "
      "in groups of three digits, and `.p/` with the width of one that is not full."};
}

Problem limited() { return {"limit-forbids", "A key that is limited to aggregate types does not see the whole log."}; }

void add_hashes(JsonWriter& json, const std::vector<Digest>& hashes) {
  json.key("hashes").begin_array();
  for (const Digest& hash : hashes) json.plain(base64_encode(as_bytes(hash)));
  json.end_array();
}

Response immutable_bytes(std::string body, bool is_public) {
  Response response;
  response.content_type = "application/octet-stream";
  // What anyone may see is good for caches that several share.
  response.headers.emplace_back("Cache-Control",
                                std::string(is_public ? "public" : "private") + ", max-age=31536000, immutable");
  response.body = std::move(body);
  return response;
}

/// A number that must not be left out.
std::optional<std::uint64_t> needed(Parameters& parameters, std::string_view name, std::uint64_t min) {
  if (!parameters.has(name)) parameters.refuse(name, "The parameter is required.");
  return parameters.integer(name, min, kNumberMax);
}

}  // namespace

std::vector<Endpoint> TreeEndpoints::endpoints() {
  const Permission look = options_.checkpoints.is_public ? Permission::Open : Permission::Audit;
  const EndpointLimits bytes{.answer = AnswerForm::Any};
  const EndpointLimits proof{.query = QueryUse::Read};
  const auto line = [&](std::string_view pattern, Permission permission, const EndpointLimits& limits,
                        void (TreeEndpoints::*handler)(Call&) const, std::string_view action) {
    return Endpoint{Method::Get,       pattern,
                    permission,        limits,
                    RunsOn::ReadPool,  [this, handler](const CallPtr& call) { (this->*handler)(*call); },
                    audited_as(action)};
  };
  return {
      line("/log/tile/{level}/{tile...}", look, bytes, &TreeEndpoints::tile, "log.tile"),
      line("/log/tile/entries/{tile...}", Permission::Audit, bytes, &TreeEndpoints::entries, "log.entries"),
      line("/v1/audit/inclusion", Permission::Audit, proof, &TreeEndpoints::inclusion, "audit.inclusion"),
      line("/v1/audit/consistency", Permission::Audit, proof, &TreeEndpoints::consistency, "audit.consistency"),
  };
}

SubjectReport TreeEndpoints::report() const {
  const TreeProgress progress = store_.tree().progress();
  SubjectReport report;
  report.metrics.push_back({.kind = SubjectMetric::Kind::Gauge,
                            .name = "stele_tree_size",
                            .help = "Leaves of the Merkle tree whose hashes are in its files.",
                            .samples = {{"", progress.size}}});
  report.metrics.push_back({.kind = SubjectMetric::Kind::Gauge,
                            .name = "stele_tree_rebuilding",
                            .help = "1 while hashes are made again from the log, and there are no proofs.",
                            .samples = {{"", progress.rebuilding ? 1U : 0U}}});
  return report;
}

Problem TreeEndpoints::refusal(const Error& error) const {
  if (error.kind == ErrorKind::NotFound) return {"not-found", "The log is not that long yet."};
  return tree_refusal(error, store_.tree().progress());
}

std::optional<Problem> TreeEndpoints::unsigned_refusal(unsigned level, const TilePath& tile) const {
  if (keeper_ == nullptr) return std::nullopt;
  const auto newest = keeper_->newest();
  if (newest == nullptr) {
    // After a start the last checkpoint counts once the tree tells that it is one of this log.
    const TreeProgress progress = store_.tree().progress();
    return progress.rebuilding ? tree_rebuilding(progress) : no_such_tile();
  }
  if (level >= kTileLevels) return no_such_tile();
  const std::uint64_t hashes = newest->checkpoint.size >> (8 * level);
  const bool is_signed = tile.index <= hashes / kTileWidth && tile.index * kTileWidth + tile.width <= hashes;
  return is_signed ? std::nullopt : std::optional(no_such_tile());
}

void TreeEndpoints::tile(Call& call) const {
  // As sent: a spelling with escapes is another one.
  const std::string_view path = call.request().path().substr(kTilePrefix.size());
  const std::size_t slash = path.find('/');
  const auto level = parse_tile_level(path.substr(0, slash));
  const auto tile = parse_tile_path(path.substr(slash + 1));
  if (!level || !tile) return call.fail(no_such_tile());
  if (const auto problem = unsigned_refusal(*level, *tile)) return call.fail(*problem);
  const auto hashes = store_.tree().tile(*level, tile->index, tile->width);
  if (!hashes) return call.fail(hashes.error().kind == ErrorKind::NotFound ? no_such_tile() : refusal(hashes.error()));
  std::string body;
  body.reserve(hashes->size() * sizeof(Digest));
  for (const Digest& hash : *hashes) body += as_bytes(hash);
  call.send(immutable_bytes(std::move(body), options_.checkpoints.is_public));
}

void TreeEndpoints::entries(Call& call) const {
  if (call.caller().is_limited()) return call.fail(limited());
  const auto tile = parse_tile_path(call.request().path().substr(kEntriesPrefix.size()));
  if (!tile) return call.fail(no_such_tile());
  if (const auto problem = unsigned_refusal(0, *tile)) return call.fail(*problem);
  const auto leaves = store_.tree().tile(0, tile->index, tile->width);
  if (!leaves) return call.fail(leaves.error().kind == ErrorKind::NotFound ? no_such_tile() : refusal(leaves.error()));
  const auto view = store_.view();
  std::string body;
  Record record;
  for (unsigned i = 0; i < tile->width; ++i) {
    if (call.request().abandoned()) return call.drop();
    if (!view->read(Position{tile->index * kTileWidth + i}, record)) return call.fail(read_failed());
    const Digest digest = record.body_digest();
    if (leaf_hash(record.header_bytes(), digest) != (*leaves)[i]) return call.fail(read_failed());
    const std::size_t length = record.header_bytes().size() + digest.size();
    body.push_back(static_cast<char>(length >> 8));
    body.push_back(static_cast<char>(length & 0xFF));
    body.append(record.header_bytes()).append(as_bytes(digest));
  }
  call.send(immutable_bytes(std::move(body), false));
}

void TreeEndpoints::inclusion(Call& call) const {
  if (call.caller().is_limited()) return call.fail(limited());
  Parameters parameters(call.request().query(), {"position", "treeSize"});
  const auto position = needed(parameters, "position", 0);
  const auto asked_size = parameters.integer("treeSize", 1, kNumberMax);
  if (position && asked_size && *position >= *asked_size) {
    parameters.refuse("position", "Must be less than treeSize.");
  }
  if (const auto problem = parameters.problem()) return call.fail(*problem);
  const std::uint64_t size = asked_size.value_or(store_.head().size);
  if (*position >= size) return call.fail(Problem("not-found", "The log has no record at this position yet."));

  MerkleTree& tree = store_.tree();
  const auto path = tree.inclusion(Position{*position}, size);
  if (!path) return call.fail(refusal(path.error()));
  const auto root = tree.root(size);
  if (!root) return call.fail(refusal(root.error()));
  const auto leaves = tree.tile(0, *position / kTileWidth, *position % kTileWidth + 1);
  if (!leaves) return call.fail(refusal(leaves.error()));
  Response response;
  JsonWriter json(response.body);
  json.begin_object().key("index").number(*position).key("treeSize").number(size);
  json.key("leafHash").plain(base64_encode(as_bytes(leaves->back())));
  add_hashes(json, *path);
  json.key("root").plain(base64_encode(as_bytes(*root))).end_object();
  call.send(std::move(response));
}

void TreeEndpoints::consistency(Call& call) const {
  if (call.caller().is_limited()) return call.fail(limited());
  Parameters parameters(call.request().query(), {"from", "to"});
  const auto from = needed(parameters, "from", 1);
  const auto asked_to = parameters.integer("to", 1, kNumberMax);
  if (from && asked_to && *from > *asked_to) parameters.refuse("from", "Must not be greater than `to`.");
  if (const auto problem = parameters.problem()) return call.fail(*problem);
  const std::uint64_t to = asked_to.value_or(store_.head().size);
  if (*from > to) return call.fail(Problem("not-found", "The log is not that long yet."));

  MerkleTree& tree = store_.tree();
  const auto path = tree.consistency(*from, to);
  if (!path) return call.fail(refusal(path.error()));
  const auto from_root = tree.root(*from);
  if (!from_root) return call.fail(refusal(from_root.error()));
  const auto to_root = tree.root(to);
  if (!to_root) return call.fail(refusal(to_root.error()));
  Response response;
  JsonWriter json(response.body);
  json.begin_object().key("from").number(*from).key("to").number(to);
  add_hashes(json, *path);
  json.key("fromRoot").plain(base64_encode(as_bytes(*from_root)));
  json.key("toRoot").plain(base64_encode(as_bytes(*to_root))).end_object();
  call.send(std::move(response));
}

}  // namespace stele::api
