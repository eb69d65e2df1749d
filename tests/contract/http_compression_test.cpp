// Compression on the wire.

#include <doctest/doctest.h>

#include <string>

#include "api/http/compressor.h"
#include "api/http/decompressor.h"
#include "tests/contract/http_fixture.h"

namespace stele::tests {

namespace {

using api::ContentCoding;

std::string plain_text(ContentCoding coding, const std::string& body) {
  const api::Decompressed result = api::decompress(coding, body, 64U << 20, 0);
  REQUIRE(result.outcome == api::Decompressed::Outcome::Whole);
  return result.bytes;
}

}  // namespace

TEST_CASE("Compression.ReadsAreTheSameInEveryCoding") {
  HttpClient client = shared_api().client();
  const std::string aggregate = fresh("compressed");
  for (int i = 0; i < 10; ++i) {
    std::string list = "[";
    for (int j = 0; j < 100; ++j)
      list += (j > 0 ? "," : "") + event_json(aggregate, "T", R"({"n":)" + std::to_string(i * 100 + j) + "}");
    append(client, list + "]");
  }
  const std::string page = "/v1/events?limit=1000&aggregateId=" + aggregate;
  const Headers lines = {{"Accept", "application/x-ndjson"}};
  const HttpResponse plain_page = client.get(page);
  const HttpResponse plain_lines = client.get(page, lines);
  REQUIRE(plain_lines.body.size() > 200'000);
  CHECK(plain_page.header("Vary") == "Accept-Encoding");
  for (const ContentCoding coding : {ContentCoding::Gzip, ContentCoding::Zstd}) {
    const std::string name(api::coding_name(coding));
    CAPTURE(name);
    Headers accept = {{"Accept-Encoding", name}};
    const HttpResponse packed = client.get(page, accept);
    CHECK(packed.header("Content-Encoding") == name);
    CHECK(packed.body.size() < plain_page.body.size() / 4);
    CHECK(plain_text(coding, packed.body) == plain_page.body);
    const HttpResponse head = client.head(page, accept);
    CHECK(head.header("Content-Encoding") == name);
    CHECK(head.header("Content-Length") == packed.header("Content-Length"));
    CHECK(head.header("Vary") == packed.header("Vary"));
    accept.insert(accept.end(), lines.begin(), lines.end());
    const HttpResponse stream = client.get(page, accept);
    CHECK(stream.header("Content-Encoding") == name);
    CHECK(stream.header("Transfer-Encoding") == "chunked");
    CHECK(plain_text(coding, stream.body) == plain_lines.body);
    CHECK(client.head(page, accept).header("Content-Encoding") == name);
    CHECK(plain_text(coding, client.get("/openapi.json", {{"Accept-Encoding", name}}).body) ==
          client.get("/openapi.json").body);
  }
}

TEST_CASE("Compression.CompressedAppendsAreStoredAsIfTheyWerePlain") {
  HttpClient client = shared_api().client();
  for (const ContentCoding coding : {ContentCoding::Gzip, ContentCoding::Zstd}) {
    const std::string name(api::coding_name(coding));
    CAPTURE(name);
    const std::string data = "{ \"kept\" : [1, 2.50] }";
    const std::string body = event_json(fresh(name), "T", data);
    const HttpResponse stored =
        client.post("/v1/events", api::compress(coding, body), "application/json", {{"Content-Encoding", name}});
    REQUIRE(stored.status == 201);
    CHECK(client.get("/v1/events/" + Json(stored.body).text("/eventId") + "/data").body == data);
    // In chunks, and as lines.
    std::string lines;
    for (int i = 0; i < 3000; ++i) lines += event_json(name + "-lines") + "\n";
    const HttpResponse many =
        client.post("/v1/events", api::compress(coding, lines), "application/x-ndjson", {{"Content-Encoding", name}});
    REQUIRE(many.status == 201);
    CHECK(Json(many.body).list("/events").size() == 3000);
  }
}

TEST_CASE("Compression.BombsAndRubbishAreRefusedAndTheConnectionLives") {
  HttpClient client = shared_api().client();
  const std::uint64_t before = event_count(client);
  const std::string event = event_json("x", "T", "\"" + std::string(2000, 'x') + "\"");
  for (const ContentCoding coding : {ContentCoding::Gzip, ContentCoding::Zstd}) {
    const std::string name(api::coding_name(coding));
    CAPTURE(name);
    const Headers encoded = {{"Content-Encoding", name}};
    const auto post = [&](const std::string& body) {
      return client.post("/v1/events", body, "application/json", encoded);
    };
    check_problem(post(api::compress(coding, std::string(64U << 20, ' '))), 413, "payload-too-large");
    const std::string packed = api::compress(coding, event);
    check_problem(post(packed.substr(0, packed.size() / 2)), 400, "malformed-encoding");
    check_problem(post(packed + "{}"), 400, "malformed-encoding");
    check_problem(post(event), 400, "malformed-encoding");
    check_problem(post(api::compress(coding, api::compress(coding, event))), 400, "malformed-json");
  }
  for (const char* encoding : {"deflate", "br", "compress", "gzip, gzip", "gzip, zstd", "identity, gzip"}) {
    CAPTURE(encoding);
    check_problem(client.post("/v1/events", event, "application/json", {{"Content-Encoding", encoding}}), 415,
                  "unsupported-media-type");
  }
  check_problem(client.post("/v1/events", event, "application/json",
                            {{"Content-Encoding", "gzip"}, {"Content-Encoding", "gzip"}}),
                415, "unsupported-media-type");
  CHECK(event_count(client) == before);
}

}  // namespace stele::tests
