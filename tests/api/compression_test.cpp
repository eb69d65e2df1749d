#include <doctest/doctest.h>
#define ZLIB_CONST
#include <zlib.h>
#include <zstd.h>

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "api/endpoint/compressed_source.h"
#include "api/http/compressor.h"
#include "api/http/content_coding.h"
#include "api/http/decompressor.h"
#include "tests/api/support.h"

namespace stele::api {

using test::event;
using test::TestService;
using Outcome = Decompressed::Outcome;

namespace {

constexpr ContentCoding kCodings[] = {ContentCoding::Gzip, ContentCoding::Zstd};

/// Something that compresses about as JSON does.
std::string sample_text(std::size_t bytes) {
  std::mt19937 random(7);
  std::string text;
  while (text.size() < bytes) text += R"({"eventType":"MissionCreated","value":)" + std::to_string(random()) + "}\n";
  text.resize(bytes);
  return text;
}

std::string whole(const Decompressed& result) {
  REQUIRE(result.outcome == Outcome::Whole);
  return result.bytes;
}

/// Zeros that take a thousandth of their size, or less.
std::string bomb(ContentCoding coding, std::size_t bytes) {
  if (coding == ContentCoding::Gzip) return compress(coding, std::string(bytes, '0'));
  // One zstd block of a repeated byte takes four bytes for 128 KiB.
  std::string frame = std::string("\x28\xb5\x2f\xfd\x00\x58", 6);  // no content size; a window of 2 MiB
  for (std::size_t done = 0; done < bytes; done += 128 * 1024) {
    const std::uint32_t header = (128U * 1024) << 3 | 1U << 1 | (done + 128 * 1024 >= bytes ? 1U : 0U);
    for (int i = 0; i < 3; ++i) frame += static_cast<char>(header >> (8 * i));
    frame += '0';
  }
  return frame;
}

class Pieces final : public BodySource {
 public:
  explicit Pieces(std::vector<std::string> pieces) : pieces_(std::move(pieces)) {}
  Result<bool> next(std::string& to) override {
    if (at_ == pieces_.size()) return false;
    if (pieces_[at_] == "fail") return Error{ErrorKind::Io, "the source broke"};
    to += pieces_[at_++];
    return true;
  }

 private:
  std::vector<std::string> pieces_;
  std::size_t at_ = 0;
};

/// Decompresses what has arrived so far, however incomplete.
class Reader {
 public:
  explicit Reader(ContentCoding coding) : coding_(coding), zstd_(ZSTD_createDCtx()) {
    REQUIRE(inflateInit2(&gzip_, 15 + 16) == Z_OK);
  }
  ~Reader() {
    ZSTD_freeDCtx(zstd_);
    (void)inflateEnd(&gzip_);
  }
  Reader(const Reader&) = delete;

  std::string read(const std::string& arrived) {
    std::string to(4U << 20, '\0');
    if (coding_ == ContentCoding::Zstd) {
      ZSTD_inBuffer in{arrived.data(), arrived.size(), 0};
      ZSTD_outBuffer out{to.data(), to.size(), 0};
      while (in.pos < in.size) REQUIRE(ZSTD_isError(ZSTD_decompressStream(zstd_, &out, &in)) == 0);
      to.resize(out.pos);
      return to;
    }
    gzip_.next_in = reinterpret_cast<const Bytef*>(arrived.data());
    gzip_.avail_in = static_cast<uInt>(arrived.size());
    gzip_.next_out = reinterpret_cast<Bytef*>(to.data());
    gzip_.avail_out = static_cast<uInt>(to.size());
    const int result = inflate(&gzip_, Z_SYNC_FLUSH);
    REQUIRE((result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR));
    to.erase(to.size() - gzip_.avail_out);
    return to;
  }

 private:
  ContentCoding coding_;
  ZSTD_DCtx* zstd_;
  z_stream gzip_{};
};

}  // namespace

TEST_CASE("ContentCoding.TheClientsWishIsMet") {
  using enum ContentCoding;
  struct Row {
    const char* field;
    ContentCoding coding;
    bool identity;
  };
  for (const Row& row : std::vector<Row>{
           {"", Identity, true},
           {"gzip", Gzip, true},
           {"zstd", Zstd, true},
           {"gzip, zstd", Zstd, true},
           {"gzip;q=1.0, zstd;q=0.9", Gzip, true},
           {"gzip;q=0.5, zstd;q=0.501", Zstd, true},
           {"GZIP", Gzip, true},
           {"x-gzip", Gzip, true},
           {"deflate, br", Identity, true},
           {"gzip, deflate, br", Gzip, true},
           {"gzip, deflate, br, zstd", Zstd, true},
           {"*", Zstd, true},
           {"*;q=0.5, zstd;q=0", Gzip, true},
           {"gzip;q=0", Identity, true},
           {"gzip;q=0, *", Zstd, true},
           {"*;q=0", Identity, true},
           {"gzip, *;q=0", Gzip, false},
           {"gzip, identity;q=0", Gzip, false},
           {"identity;q=0", Identity, true},  // nothing is left, so the field does not count
           {"identity", Identity, true},
           {"identity, gzip;q=0.5", Identity, true},
           {"identity;q=0.5, gzip", Gzip, true},
           {"identity, gzip", Gzip, true},
           {"gzip;q=0, zstd;q=0, identity;q=0", Identity, true},
           {" gzip ; q=0.8 ,, zstd ; q=0.1 ", Gzip, true},
           {"gzip;q=2", Gzip, true},
           {"gzip;q=abc", Gzip, true},
           {"gzip;level=9", Gzip, true},
           {"gzipped, zstd2", Identity, true},
           {",;,;q=0,", Identity, true},
       }) {
    CAPTURE(row.field);
    const AcceptedCoding accepted = accepted_coding(row.field);
    CHECK(coding_name(accepted.coding) == coding_name(row.coding));
    CHECK(accepted.identity == row.identity);
  }
}

TEST_CASE("ContentCoding.OfABodyIsExactlyOne") {
  CHECK(body_coding("") == ContentCoding::Identity);
  CHECK(body_coding("identity") == ContentCoding::Identity);
  CHECK(body_coding("gzip") == ContentCoding::Gzip);
  CHECK(body_coding("X-GZip") == ContentCoding::Gzip);
  CHECK(body_coding("Zstd") == ContentCoding::Zstd);
  for (const char* other : {"deflate", "br", "gzip, zstd", "gzip,gzip", "gzip;q=1", "*"})
    CHECK_FALSE(body_coding(other));
}

TEST_CASE("Compression.WhatIsCompressedComesBack") {
  for (const ContentCoding coding : kCodings) {
    CAPTURE(coding_name(coding));
    for (const std::size_t bytes : {0U, 1U, 1000U, 4096U, 65'536U, 1'000'003U}) {
      const std::string text = sample_text(bytes);
      const std::string packed = compress(coding, text);
      if (bytes > 1000) CHECK(packed.size() < text.size() / 2);
      CHECK(whole(decompress(coding, packed, bytes, 64)) == text);
      if (bytes > 0) CHECK(decompress(coding, packed, bytes - 1, 64).outcome == Outcome::TooLarge);
      if (bytes > 0) CHECK(whole(decompress(coding, packed + packed, 2 * bytes, 64)) == text + text);
    }
  }
}

TEST_CASE("Compression.TheOtherCodingIsDamage") {
  CHECK(decompress(ContentCoding::Gzip, compress(ContentCoding::Zstd, "text"), 1000, 0).outcome == Outcome::Damaged);
  CHECK(decompress(ContentCoding::Zstd, compress(ContentCoding::Gzip, "text"), 1000, 0).outcome == Outcome::Damaged);
}

TEST_CASE("Compression.EveryCutAndEveryTailIsDamage") {
  const std::string text = sample_text(3000);
  for (const ContentCoding coding : kCodings) {
    CAPTURE(coding_name(coding));
    const std::string packed = compress(coding, text);
    for (std::size_t bytes = 0; bytes < packed.size(); ++bytes) {
      REQUIRE(decompress(coding, std::string_view(packed).substr(0, bytes), 1U << 20, 64).outcome == Outcome::Damaged);
    }
    for (const std::string& tail :
         {std::string("x"), std::string("\0", 1), std::string("{}"), packed.substr(0, packed.size() - 1)}) {
      CHECK(decompress(coding, packed + tail, 1U << 20, 64).outcome == Outcome::Damaged);
    }
  }
}

TEST_CASE("Compression.AFlippedBitOfGzipIsNeverAnotherText") {
  const std::string text = sample_text(2000);
  std::string packed = compress(ContentCoding::Gzip, text);
  for (std::size_t bit = 0; bit < packed.size() * 8; ++bit) {
    packed[bit / 8] = static_cast<char>(packed[bit / 8] ^ (1 << (bit % 8)));
    const Decompressed result = decompress(ContentCoding::Gzip, packed, 1U << 20, 64);
    if (result.outcome == Outcome::Whole) REQUIRE(result.bytes == text);  // time and system in the header do not count
    packed[bit / 8] = static_cast<char>(packed[bit / 8] ^ (1 << (bit % 8)));
  }
}

TEST_CASE("Compression.BombsAreStoppedAtTheLimit") {
  for (const ContentCoding coding : kCodings) {
    CAPTURE(coding_name(coding));
    const std::string packed = bomb(coding, 64U << 20);
    CHECK(packed.size() < (1U << 20));
    const Decompressed result = decompress(coding, packed, 1U << 20, 64);
    CHECK(result.outcome == Outcome::TooLarge);
    CHECK(result.bytes.capacity() < 64);
    CHECK(whole(decompress(coding, bomb(coding, 1U << 20), 1U << 20, 64)).size() == 1U << 20);
  }
}

TEST_CASE("Compression.AWindowBeyondTheLimitIsRefusedAsSuch") {
  // The same frame, but for a window of 128 MiB that would have to be taken before the first byte comes out.
  std::string frame = bomb(ContentCoding::Zstd, 1U << 20);
  frame[5] = static_cast<char>(17 << 3);
  CHECK(decompress(ContentCoding::Zstd, frame, 16U << 20, 64).outcome == Outcome::WindowTooLarge);
  TestService service;
  const auto answer = service.post(frame, {{"Content-Encoding", "zstd"}});
  CHECK(answer.status == 413);
  CHECK(answer.body.find("window of more than 8388608 bytes") != std::string::npos);
}

TEST_CASE("Decompressor.GivesTheSameWhateverThePiecesAre") {
  const std::string text = sample_text(50'000);
  for (const ContentCoding coding : kCodings) {
    CAPTURE(coding_name(coding));
    const std::string packed = compress(coding, text) + compress(coding, "") + compress(coding, text);
    for (const std::size_t in_bytes : {std::size_t{1}, std::size_t{7}, std::size_t{1000}, packed.size()}) {
      for (const std::size_t room_bytes : {std::size_t{1}, std::size_t{4096}, 3 * text.size()}) {
        Decompressor decompressor(coding);
        std::string all;
        std::vector<char> piece(room_bytes);
        std::string_view rest = packed;
        auto state = Decompressor::State::Inside;
        while (!rest.empty() || state == Decompressor::State::Inside) {
          std::string_view in = rest.substr(0, in_bytes);
          const std::size_t before = in.size();
          std::span<char> room(piece);
          state = decompressor.step(in, room);
          rest.remove_prefix(before - in.size());
          const std::size_t got = piece.size() - room.size();
          REQUIRE((state == Decompressor::State::Inside || state == Decompressor::State::Whole));
          REQUIRE((got > 0 || in.size() < before || state == Decompressor::State::Whole));
          all.append(piece.data(), got);
        }
        CHECK(all == text + text);
      }
    }
  }
}

TEST_CASE("Compression.PaddingFollowsTheBytes") {
  for (const ContentCoding coding : kCodings) {
    for (const std::size_t bytes : {1U, 4095U, 4096U, 4097U, 100'000U}) {
      const Decompressed result = decompress(coding, compress(coding, sample_text(bytes)), 1U << 20, 64);
      CHECK(result.bytes.capacity() >= bytes + 64);
    }
  }
}

TEST_CASE("CompressedSource.EachPieceCanBeReadWhenItArrives") {
  for (const ContentCoding coding : kCodings) {
    CAPTURE(coding_name(coding));
    std::unique_ptr<BodySource> source =
        std::make_unique<Pieces>(std::vector<std::string>{"one\n", "", sample_text(200'000), "four\n"});
    source = CompressedSource::wrap(source, coding);
    REQUIRE(source != nullptr);
    Reader reader(coding);
    std::string all;
    const auto pull = [&](bool more) {
      std::string arrived;
      const auto result = source->next(arrived);
      REQUIRE(result);
      CHECK(*result == more);
      all += arrived;
      return reader.read(arrived);
    };
    CHECK(pull(true) == "one\n");
    CHECK(pull(true).empty());
    CHECK(pull(true) == sample_text(200'000));
    CHECK(pull(true) == "four\n");
    CHECK(pull(false).empty());
    CHECK(whole(decompress(coding, all, 1U << 20, 0)) == "one\n" + sample_text(200'000) + "four\n");
  }
}

TEST_CASE("CompressedSource.AnErrorOfTheSourceIsAnError") {
  std::unique_ptr<BodySource> source = std::make_unique<Pieces>(std::vector<std::string>{"one\n", "fail"});
  source = CompressedSource::wrap(source, ContentCoding::Gzip);
  std::string to;
  CHECK(source->next(to));
  CHECK_FALSE(source->next(to));
}

TEST_CASE("CompressedSource.ThereAreNeverTooManyAtOnce") {
  std::vector<std::unique_ptr<BodySource>> wrapped;
  std::unique_ptr<BodySource> source;
  do {
    source = std::make_unique<Pieces>(std::vector<std::string>{"x"});
    wrapped.push_back(CompressedSource::wrap(source, ContentCoding::Gzip));
    REQUIRE(wrapped.size() < 10'000);
  } while (wrapped.back() != nullptr);
  CHECK(source != nullptr);
  wrapped.clear();
  CHECK(CompressedSource::wrap(source, ContentCoding::Gzip) != nullptr);
}

TEST_CASE("Compression.AnswersAreCompressedWhenAskedForAndWorthIt") {
  TestService service;
  for (int i = 0; i < 20; ++i)
    CHECK(service.post(event("a", R"({"text":")" + std::string(100, 'x') + "\"}")).status == 201);
  const std::string list = "/v1/events?aggregateId=a";
  const auto plain = service.get(list);
  CHECK(plain.header("Content-Encoding").empty());
  CHECK(plain.header("Vary") == "Accept-Encoding");
  for (const ContentCoding coding : kCodings) {
    const std::string name(coding_name(coding));
    CAPTURE(name);
    const auto packed = service.get(list, {{"Accept-Encoding", name}});
    CHECK(packed.header("Content-Encoding") == name);
    CHECK(packed.header("Vary") == "Accept-Encoding");
    CHECK(packed.type == "application/json");
    CHECK(packed.body.size() < plain.body.size() / 2);
    CHECK(whole(decompress(coding, packed.body, 1U << 20, 0)) == plain.body);
    const auto head = service.send(Method::Head, list, {}, {{"Accept-Encoding", name}});
    CHECK(head.header("Content-Encoding") == name);
    CHECK(head.body.size() == packed.body.size());  // net leaves it out and keeps its length
    const TestService::Headers lines = {{"Accept-Encoding", name}, {"Accept", "application/x-ndjson"}};
    const auto stream = service.get(list, lines);
    CHECK(stream.streamed);
    CHECK(stream.header("Content-Encoding") == name);
    CHECK(whole(decompress(coding, stream.body, 1U << 20, 0)) ==
          service.get(list, {{"Accept", "application/x-ndjson"}}).body);
    // Too small to be worth it, unless nothing else will do.
    const auto small = service.get("/healthz", {{"Accept-Encoding", name}});
    CHECK(small.header("Content-Encoding").empty());
    const auto forced = service.get("/healthz", {{"Accept-Encoding", name + ", identity;q=0"}});
    CHECK(forced.header("Content-Encoding") == name);
    CHECK(whole(decompress(coding, forced.body, 1000, 0)) == small.body);
  }
  CHECK(service.get(list, {{"Accept-Encoding", "br"}}).body == plain.body);
}

TEST_CASE("Compression.CompressedAppendsAreAppends") {
  TestService service;
  for (const ContentCoding coding : kCodings) {
    const std::string name(coding_name(coding));
    CAPTURE(name);
    std::string list = "[" + event(name, "\"" + std::string(300'000, 'x') + "\"");
    for (int i = 0; i < 99; ++i) list += "," + event(name);
    list += "]";
    CHECK(service.post(compress(coding, event(name)), {{"Content-Encoding", name}}).status == 201);
    CHECK(service.post(compress(coding, list), {{"Content-Encoding", name}}).status == 201);
    CHECK(service.get("/v1/aggregates/" + name).at("/count") == "101");
    // What is wrong with the events is told as ever.
    const auto broken = service.post(compress(coding, "{"), {{"Content-Encoding", name}});
    CHECK(broken.slug() == "malformed-json");
    for (const std::size_t bytes : {std::size_t{32} << 20, std::size_t{64} << 20}) {
      const auto refused = service.post(bomb(coding, bytes), {{"Content-Encoding", name}});
      CHECK(refused.status == 413);
      CHECK(refused.slug() == "payload-too-large");
    }
    const std::string packed = compress(coding, list);
    CHECK(service.post(packed.substr(0, packed.size() - 1), {{"Content-Encoding", name}}).slug() ==
          "malformed-encoding");
    CHECK(service.post(packed + "x", {{"Content-Encoding", name}}).slug() == "malformed-encoding");
    CHECK(service.post("", {{"Content-Encoding", name}}).slug() == "malformed-encoding");
    CHECK(service.get("/v1/aggregates/" + name).at("/count") == "101");
    service.scheduler().full = true;
    CHECK(service.post(bomb(coding, 1U << 20), {{"Content-Encoding", name}}).slug() == "busy");
    service.scheduler().full = false;
  }
  const auto unknown = service.post(event("a"), {{"Content-Encoding", "br"}});
  CHECK(unknown.slug() == "unsupported-media-type");
  CHECK(unknown.header("Accept-Encoding") == "gzip, zstd");
}

}  // namespace stele::api
