// The Merkle tree of a running server, from which an auditor with nothing but SHA-256 rebuilds the root.

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <vector>

#include "engine/audit/merkle_frontier.h"
#include "engine/audit/merkle_proof.h"
#include "engine/base/base64.h"
#include "engine/base/digest.h"
#include "tests/contract/http_fixture.h"
#include "tests/support/eventually.h"

namespace stele::tests {

namespace {

/// Tiles are made again after damage, and shown once a checkpoint covers them.
HttpResponse get_when_ready(HttpClient& client, const std::string& target) {
  HttpResponse response;
  REQUIRE(eventually([&] {
    response = client.get(target);
    return response.status == 200;
  }));
  return response;
}

Digest digest_from(const std::string& base64) {
  const auto bytes = base64_decode(base64);
  REQUIRE(bytes);
  REQUIRE(bytes->size() == sizeof(Digest));
  Digest digest{};
  std::memcpy(digest.data(), bytes->data(), digest.size());
  return digest;
}

std::vector<Digest> path_in(const Json& proof) {
  std::vector<Digest> path;
  for (std::size_t i = 0; proof.has("/hashes/" + std::to_string(i)); ++i) {
    path.push_back(digest_from(proof.text("/hashes/" + std::to_string(i))));
  }
  return path;
}

/// The root that the hashes of whole and partial tiles of level 0 give.
MerkleFrontier edge_from_tiles(HttpClient& client, std::uint64_t size) {
  MerkleFrontier edge;
  for (std::uint64_t tile = 0; tile * 256 < size; ++tile) {
    const std::uint64_t width = std::min<std::uint64_t>(256, size - tile * 256);
    const std::string number = std::to_string(1000 + tile).substr(1);
    const HttpResponse response = get_when_ready(
        client, "/log/tile/0/" + number + (width == 256 ? std::string() : ".p/" + std::to_string(width)));
    REQUIRE(response.header("Content-Type") == "application/octet-stream");
    REQUIRE(response.body.size() == width * sizeof(Digest));
    for (std::size_t at = 0; at < response.body.size(); at += sizeof(Digest)) {
      Digest leaf{};
      std::memcpy(leaf.data(), response.body.data() + at, leaf.size());
      edge.append(leaf);
    }
  }
  return edge;
}

}  // namespace

TEST_CASE("Tree.TilesAndProofsOfARunningServerAgreeWithItsRoot") {
  Api api;
  HttpClient client = api.client();
  std::string list;
  for (int i = 0; i < 600; ++i) list += (i == 0 ? "[" : ",") + event_json("tree-" + std::to_string(i % 9));
  append(client, list + "]");
  Json head = get_json(client, "/v1/head");
  const std::uint64_t first_size = head.number("/size");
  const Digest first_root = digest_from(head.text("/root"));
  CHECK(edge_from_tiles(client, first_size).root() == first_root);

  // And the same after the server was killed, had its tiles taken away, and went on.
  api.server().kill();
  std::filesystem::remove_all(api.data() + "/tiles");
  api.kill_and_restart();
  client = api.client();
  append(client, event_json("tree-later"));
  head = get_json(client, "/v1/head");
  const std::uint64_t size = head.number("/size");
  const Digest root = digest_from(head.text("/root"));
  REQUIRE(size > first_size);
  CHECK(edge_from_tiles(client, size).root() == root);
  const Json consistency =
      get_json(client, "/v1/audit/consistency?from=" + std::to_string(first_size) + "&to=" + std::to_string(size));
  CHECK(verify_consistency(first_size, size, path_in(consistency), first_root, root));
  const Json inclusion = get_json(client, "/v1/audit/inclusion?position=300&treeSize=" + std::to_string(first_size));
  CHECK(verify_inclusion(digest_from(inclusion.text("/leafHash")), 300, first_size, path_in(inclusion), first_root));

  const HttpResponse bundle = client.get("/log/tile/entries/000");
  REQUIRE(bundle.status == 200);
  REQUIRE(bundle.body.size() > 2);
  const std::size_t length =
      static_cast<unsigned char>(bundle.body[0]) * std::size_t{256} + static_cast<unsigned char>(bundle.body[1]);
  const Digest genesis = sha256({std::string_view("\0", 1), std::string_view(bundle.body).substr(2, length)});
  CHECK(std::string_view(client.get("/log/tile/0/000").body).substr(0, sizeof(Digest)) == as_bytes(genesis));
  check_problem(client.get("/log/tile/0/900"), 404, "not-found");
}

}  // namespace stele::tests
