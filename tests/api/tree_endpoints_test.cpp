// The Merkle tree as an auditor asks for it: everything is checked against the root of the log, with RFC 9162 alone.

#include <doctest/doctest.h>

#include <bit>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "api/audit/tile_path.h"
#include "engine/audit/checkpoint.h"
#include "engine/audit/merkle_frontier.h"
#include "engine/audit/merkle_proof.h"
#include "engine/audit/signed_note.h"
#include "engine/base/base64.h"
#include "engine/log/record.h"
#include "tests/api/access_support.h"
#include "tests/api/support.h"
#include "tests/support/eventually.h"
#include "tests/support/forwarding_file_system.h"
#include "tests/support/temp_folder.h"

namespace stele::api::test {
namespace {

std::vector<Digest> hashes_of_bytes(const std::string& bytes) {
  REQUIRE(bytes.size() % sizeof(Digest) == 0);
  std::vector<Digest> hashes(bytes.size() / sizeof(Digest));
  std::memcpy(hashes.data(), bytes.data(), bytes.size());
  return hashes;
}

Digest hash_of_base64(const std::string& base64) {
  const auto bytes = base64_decode(base64);
  REQUIRE(bytes);
  REQUIRE(bytes->size() == sizeof(Digest));
  return hashes_of_bytes(*bytes).front();
}

std::vector<Digest> hashes_at(const Answer& answer, const std::string& pointer) {
  std::vector<Digest> hashes;
  for (std::size_t i = 0; answer.at(pointer + "/" + std::to_string(i)) != "none"; ++i) {
    hashes.push_back(hash_of_base64(answer.text(pointer + "/" + std::to_string(i))));
  }
  return hashes;
}

/// RFC 9162, section 2.1.1.
Digest tree_hash(std::span<const Digest> leaves) {
  if (leaves.size() == 1) return leaves.front();
  const std::size_t k = std::bit_floor(leaves.size() - 1);
  return merkle_node(tree_hash(leaves.first(k)), tree_hash(leaves.subspan(k)));
}

void append_events(TestService& service, std::size_t count) {
  std::string list;
  for (std::size_t i = 0; i < count; ++i) list += (i == 0 ? "[" : ",") + event("a" + std::to_string(i % 7));
  REQUIRE(service.post(list + "]").status == 201);
}

/// Asks again while the tree is being made.
Answer get_ready(TestService& service, const std::string& target, const TestService::Headers& headers = {}) {
  Answer answer;
  REQUIRE(eventually([&] {
    answer = service.get(target, headers);
    return answer.slug() != "tree-rebuilding";
  }));
  return answer;
}

Digest root_of(TestService& service) { return service.store().head().root; }

}  // namespace

TEST_CASE("TreeEndpoints.NoTileIsShownThatNoCheckpointCovers") {
  const stele::test::TempFolder keys;
  ServiceOptions options;
  options.checkpoints.keys_folder = keys.path() + "/keys";
  options.checkpoints.in_background = false;  // signed once, as the service begins
  TestService service(options);
  const Answer note = service.get("/log/checkpoint");
  const std::uint64_t covered = parse_checkpoint(parse_note(note.body)->text)->size;
  REQUIRE(covered > 0);
  append_events(service, 300);
  REQUIRE(service.store().head().size > 256);
  for (const std::string folder : {"/log/tile/0/", "/log/tile/entries/"}) {
    CAPTURE(folder);
    CHECK(get_ready(service, folder + "000.p/" + std::to_string(covered)).status == 200);
    for (const std::string& tile : {"000.p/" + std::to_string(covered + 1), std::string("000"), std::string("001.p/1"),
                                    std::string("x999/x999/x999/x999/x999/999")}) {
      CAPTURE(tile);
      CHECK(service.get(folder + tile).slug() == "not-found");
    }
  }
  CHECK(service.get("/log/tile/1/000.p/1").slug() == "not-found");
  CHECK(service.get("/log/tile/63/000.p/1").slug() == "not-found");
}

TEST_CASE("TreeEndpoints.TilesHoldTheHashesOfTheTree") {
  TestService service;
  append_events(service, 300);
  const std::uint64_t size = service.store().head().size;
  REQUIRE(size > 256);
  REQUIRE(size < 512);
  const std::string width = std::to_string(size - 256);
  const Answer full = get_ready(service, "/log/tile/0/000");
  REQUIRE(full.status == 200);
  CHECK(full.type == "application/octet-stream");
  CHECK(full.header("Cache-Control") == "private, max-age=31536000, immutable");
  const Answer rest = service.get("/log/tile/0/001.p/" + width);
  REQUIRE(rest.status == 200);
  std::vector<Digest> leaves = hashes_of_bytes(full.body + rest.body);
  CHECK(leaves.size() == size);
  CHECK(tree_hash(leaves) == root_of(service));
  CHECK(hashes_of_bytes(service.get("/log/tile/1/000.p/1").body) ==
        std::vector{tree_hash(std::span(leaves).first(256))});
  // What others have seen while the tree was smaller stays there.
  CHECK(service.get("/log/tile/0/001.p/3").body == rest.body.substr(0, 3 * sizeof(Digest)));
  CHECK(service.get("/log/tile/0/000.p/255").body == full.body.substr(0, 255 * sizeof(Digest)));
  const Answer head = service.send(Method::Head, "/log/tile/0/000");
  CHECK(head.status == 200);

  const std::vector<std::string> none{"0/001",      "0/001.p/" + std::to_string(size - 255),
                                      "0/002.p/1",  "1/000",
                                      "1/000.p/2",  "1/001.p/1",
                                      "2/000.p/1",  "8/000.p/1",
                                      "63/000.p/1", "0/x001/000"};
  const std::vector<std::string> misspelt{"64/000.p/1",
                                          "00/000",
                                          "-1/000",
                                          "0/0",
                                          "0/0000",
                                          "0/000/",
                                          "0//000",
                                          "0/000.p/0",
                                          "0/000.p/256",
                                          "0/000.p/01",
                                          "0/000.p/",
                                          "0/000.p/1/2",
                                          "0/x000/000",
                                          "0/x000",
                                          "0/000.P/1",
                                          "0/00a",
                                          "0/%30%30%30",
                                          "0/+00",
                                          "a/000",
                                          "0/000.p/1x",
                                          "0/000.p/+1",
                                          "0/000%2Ep/1",
                                          "entries/0",
                                          "entries/x000/000",
                                          "0/x999/x999/x999/x999/x999/x999/999"};
  for (const auto* const paths : {&none, &misspelt}) {
    for (const std::string& path : *paths) {
      CAPTURE(path);
      const Answer answer = service.get("/log/tile/" + path);
      CHECK(answer.status == 404);
      CHECK(answer.slug() == "not-found");
    }
  }
  CHECK(service.get("/log/tile/0/000?x=1").status == 400);
}

TEST_CASE("TreeEndpoints.EntriesAreWhatTheLeavesAreMadeOf") {
  TestService service;
  append_events(service, 270);
  REQUIRE(service.post(event("big", '"' + std::string(100'000, 'x') + '"')).status == 201);
  for (const std::string tile : {"000", "001.p/10"}) {
    CAPTURE(tile);
    const Answer answer = get_ready(service, "/log/tile/entries/" + tile);
    REQUIRE(answer.status == 200);
    CHECK(answer.type == "application/octet-stream");
    std::vector<Digest> leaves;
    for (std::string_view rest = answer.body; !rest.empty();) {
      REQUIRE(rest.size() >= 2);
      const std::size_t length =
          static_cast<unsigned char>(rest[0]) * std::size_t{256} + static_cast<unsigned char>(rest[1]);
      REQUIRE(rest.size() >= 2 + length);
      leaves.push_back(sha256({std::string_view("\0", 1), rest.substr(2, length)}));
      rest.remove_prefix(2 + length);
    }
    CHECK(leaves == hashes_of_bytes(service.get("/log/tile/0/" + tile).body));
  }
  CHECK(service.get("/log/tile/entries/001").status == 404);
  CHECK(service.get("/log/tile/entries/000.p/0").status == 404);
}

TEST_CASE("TreeEndpoints.EveryRecordStandsInEveryTreeThatHasIt") {
  TestService service;
  append_events(service, 20);
  const std::uint64_t end = service.store().head().size;
  const Answer leaves_now = get_ready(service, "/log/tile/0/000.p/" + std::to_string(end));
  const std::vector<Digest> leaves = hashes_of_bytes(leaves_now.body);
  for (std::uint64_t size = 1; size <= end; ++size) {
    const Digest root = tree_hash(std::span(leaves).first(size));
    for (std::uint64_t position = 0; position < size; ++position) {
      const Answer answer =
          service.get("/v1/audit/inclusion?position=" + std::to_string(position) + "&treeSize=" + std::to_string(size));
      REQUIRE(answer.status == 200);
      CHECK(answer.at("/index") == std::to_string(position));
      CHECK(answer.at("/treeSize") == std::to_string(size));
      CHECK(hash_of_base64(answer.text("/root")) == root);
      const Digest leaf = hash_of_base64(answer.text("/leafHash"));
      CHECK(leaf == leaves[position]);
      CHECK(verify_inclusion(leaf, position, size, hashes_at(answer, "/hashes"), root));
    }
  }
  const Answer now = service.get("/v1/audit/inclusion?position=0");
  CHECK(now.at("/treeSize") == std::to_string(end));
  CHECK(hash_of_base64(now.text("/root")) == root_of(service));
  for (const std::string query : {"", "?treeSize=1", "?position=1&treeSize=1", "?position=0&treeSize=0", "?position=-1",
                                  "?position=0&x=1", "?position=0&position=0", "?position=18446744073709551616"}) {
    CAPTURE(query);
    CHECK(service.get("/v1/audit/inclusion" + query).status == 400);
  }
  for (const std::string& query :
       {"?position=" + std::to_string(end), "?position=0&treeSize=" + std::to_string(end + 1),
        std::string("?position=18446744073709551614&treeSize=18446744073709551615"),
        std::string("?position=18446744073709551615")}) {
    CAPTURE(query);
    CHECK(service.get("/v1/audit/inclusion" + query).slug() == "not-found");
  }
}

TEST_CASE("TreeEndpoints.EveryTreeContinuesTheSmallerOnes") {
  TestService service;
  append_events(service, 20);
  const std::uint64_t end = service.store().head().size;
  const Answer leaves_now = get_ready(service, "/log/tile/0/000.p/" + std::to_string(end));
  const std::vector<Digest> leaves = hashes_of_bytes(leaves_now.body);
  for (std::uint64_t to = 1; to <= end; ++to) {
    for (std::uint64_t from = 1; from <= to; ++from) {
      const Answer answer =
          service.get("/v1/audit/consistency?from=" + std::to_string(from) + "&to=" + std::to_string(to));
      REQUIRE(answer.status == 200);
      const Digest from_root = tree_hash(std::span(leaves).first(from)),
                   to_root = tree_hash(std::span(leaves).first(to));
      CHECK(hash_of_base64(answer.text("/fromRoot")) == from_root);
      CHECK(hash_of_base64(answer.text("/toRoot")) == to_root);
      CHECK(verify_consistency(from, to, hashes_at(answer, "/hashes"), from_root, to_root));
    }
  }
  CHECK(service.get("/v1/audit/consistency?from=1").at("/to") == std::to_string(end));
  for (const char* const query : {"", "?to=3", "?from=0", "?from=4&to=3", "?from=1&to=0", "?from=1&size=3"}) {
    CAPTURE(query);
    CHECK(service.get("/v1/audit/consistency" + std::string(query)).status == 400);
  }
  for (const std::string& query : {"?from=1&to=" + std::to_string(end + 1), "?from=" + std::to_string(end + 1),
                                   std::string("?from=18446744073709551615&to=18446744073709551615")}) {
    CAPTURE(query);
    CHECK(service.get("/v1/audit/consistency" + query).slug() == "not-found");
  }
}

TEST_CASE("TreeEndpoints.HashesAreForAnyoneIfTheLogIsPublicAndTheRestIsForAuditors") {
  for (const bool is_public : {false, true}) {
    CAPTURE(is_public);
    TestKeys keys;
    const auto bearer = [](const std::string& token) {
      return TestService::Headers{{"Authorization", "Bearer " + token}};
    };
    const auto auditor = bearer(keys.add(Role::Auditor, "auditor"));
    const auto limited = bearer(keys.add(Role::Auditor, "limited", {"A"}));
    const auto reader = bearer(keys.add(Role::Reader, "reader"));
    ServiceOptions options;
    options.checkpoints.is_public = is_public;
    options.authenticator = keys.open(AuthenticatorOptions{});
    TestService service(std::move(options));
    const Answer tile = get_ready(service, "/log/tile/0/000.p/1", auditor);
    CHECK(tile.status == 200);
    CHECK(tile.header("Cache-Control").starts_with(is_public ? "public," : "private,"));
    CHECK(service.get("/log/tile/0/000.p/1", limited).status == 200);
    CHECK(service.get("/log/tile/0/000.p/1").status == (is_public ? 200 : 401));
    CHECK(service.get("/log/tile/0/000.p/1", reader).status == (is_public ? 200 : 403));
    for (const std::string target :
         {"/log/tile/entries/000.p/1", "/v1/audit/inclusion?position=0", "/v1/audit/consistency?from=1"}) {
      CAPTURE(target);
      CHECK(service.get(target, auditor).status == 200);
      CHECK(service.get(target).status == 401);
      CHECK(service.get(target, reader).slug() == "insufficient-role");
      CHECK(service.get(target, limited).slug() == "limit-forbids");
    }
  }
}

namespace {

/// Nothing can be made in the folder of tiles.
class NoTiles : public stele::test::ForwardingFileSystem {
 public:
  using ForwardingFileSystem::ForwardingFileSystem;
  [[nodiscard]] Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    if (path.find("/tiles/") != std::string::npos) return Error{.kind = ErrorKind::DiskFull, .message = "full"};
    return ForwardingFileSystem::open(path, mode);
  }
};

}  // namespace

TEST_CASE("TreeEndpoints.WithoutTilesThereIsAnAnswerThatSaysSo") {
  NoTiles files(posix_file_system());
  TestService service({}, &files, {});
  REQUIRE(service.post(event("a")).status == 201);
  const std::uint64_t size = service.store().head().size;
  for (const std::string target : {"/log/tile/0/000.p/1", "/log/tile/entries/000.p/1", "/v1/audit/inclusion?position=0",
                                   "/v1/audit/consistency?from=1"}) {
    CAPTURE(target);
    const Answer answer = service.get(target);
    CHECK(answer.status == 503);
    CHECK(answer.slug() == "tree-rebuilding");
    CHECK(answer.header("Retry-After") == "1");
    CHECK(answer.at("/progress/of") == std::to_string(size));
  }
  CHECK(service.get("/v1/head").status == 200);
  CHECK(service.get("/v1/events").status == 200);
}

TEST_CASE("TilePath.IsSpeltInOneWay") {
  CHECK(parse_tile_path("000") == TilePath{0, 256});
  CHECK(parse_tile_path("x001/x234/067") == TilePath{1'234'067, 256});
  CHECK(parse_tile_path("x001/x234/067.p/8") == TilePath{1'234'067, 8});
  CHECK(parse_tile_path("999.p/255") == TilePath{999, 255});
  CHECK(parse_tile_path("x999/x999/x999/x999/x999/999") == TilePath{999'999'999'999'999'999, 256});
  for (const char* const text :
       {"", "x", "x001", "x001/", "001/002", "x001/2", "x000/001", "x001/x000/0000", "0x1", "000.p", "000.p/",
        "000.p/0", "000.p/256", "000.p/1.p/1", ".p/1", "000 ", " 000", "-01", "x999/x999/x999/x999/x999/x999/999"}) {
    CAPTURE(text);
    CHECK(!parse_tile_path(text));
  }
  CHECK(parse_tile_path("x001/x000/000") == TilePath{1'000'000, 256});
  CHECK(parse_tile_level("0") == 0U);
  CHECK(parse_tile_level("63") == 63U);
  for (const char* const text : {"", "64", "00", "01", "+1", "-1", "1 ", "4294967296"}) {
    CAPTURE(text);
    CHECK(!parse_tile_level(text));
  }
}

}  // namespace stele::api::test
