// `stele import` against a real server: bad lines, repeats, compressed input and a server that goes away meanwhile.

#include <doctest/doctest.h>
#include <zstd.h>

#include <algorithm>
#include <fstream>
#include <random>
#include <sstream>
#include <vector>

#include "api/http/compressor.h"
#include "api/json/json_writer.h"
#include "tests/support/build_paths.h"
#include "tests/support/eventually.h"
#include "tests/support/http_client.h"
#include "tests/support/server_process.h"
#include "tests/support/temp_folder.h"
#include "tests/support/text.h"

namespace stele::tests {

namespace {

/// An event with an id made of `n`.
std::string event(int n, std::string_view aggregate = "a", std::string_view extra = "") {
  char id[37];
  std::snprintf(id, sizeof id, "0190a000-0000-7000-8000-%012d", n);
  return R"({"eventId":")" + std::string(id) + R"(","eventType":"Counted","aggregateId":")" + std::string(aggregate) +
         R"(","data":{"n":)" + std::to_string(n) + "}" + std::string(extra) + "}\n";
}

std::string events(int from, int to) {
  std::string lines;
  for (int n = from; n < to; ++n) lines += event(n, "a" + std::to_string(n % 3));
  return lines;
}

std::string compressed(const std::string& text) {
  std::string result(ZSTD_compressBound(text.size()), '\0');
  result.resize(ZSTD_compress(result.data(), result.size(), text.data(), text.size(), 3));
  return result;
}

std::string gzipped(const std::string& text) { return api::compress(api::ContentCoding::Gzip, text); }

std::string in_units(std::size_t bytes, const std::string& ascii, bool big_endian) {
  std::string wide;
  const std::string zeros(bytes - 1, '\0');
  for (const char c : ascii) wide += big_endian ? zeros + c : c + zeros;
  return wide;
}
std::string utf16(const std::string& ascii, bool big_endian) { return in_units(2, ascii, big_endian); }
std::string utf32(const std::string& ascii, bool big_endian) { return in_units(4, ascii, big_endian); }

/// Of `stele query`, without what another store gives otherwise.
std::vector<std::string> without_places(const std::string& lines) {
  std::vector<std::string> events;
  std::istringstream in(lines);
  for (std::string line; std::getline(in, line);) {
    const std::size_t begin = line.find(R"(,"position":)");
    const std::string_view stamp = R"("timestamp":")";
    const std::size_t end = line.find('"', line.find(stamp, begin) + stamp.size());
    events.push_back(line.erase(begin, end + 1 - begin));
  }
  return events;
}

struct Fixture {
  test::TempFolder folder;
  ServerProcess::Options options{folder.file("data"), {"--segment-size", "1MiB"}, {}, 0};
  ServerProcess server = ServerProcess::start(options);

  ProcessResult import(std::string_view input, std::vector<std::string> arguments = {}) {
    arguments.insert(arguments.begin(), {"import", "-", "--url", server.url()});
    return run_stele(arguments, input);
  }
  std::size_t stored() { return line_count(run_stele({"query", "--url", server.url()}).out); }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "Import.StoresEverythingOnceHoweverOften") {
  const std::string lines = events(0, 1300);
  const auto first = import(lines);
  CAPTURE(first.err);
  REQUIRE(first.exit_code == 0);
  CHECK(first.out.empty());
  CHECK(contains(first.err, "1,300 stored, 0 already there, 0 bad"));
  CHECK(contains(import(lines).err, "0 stored, 1,300 already there, 0 bad"));
  // Other borders of batches, more lines at the end, and compressed: still nothing twice.
  CHECK(contains(import(lines, {"--batch", "77"}).err, "0 stored, 1,300 already there"));
  const auto longer = import(compressed(lines + events(1300, 1310)));
  CHECK(contains(longer.err, "10 stored, 1,300 already there"));
  CHECK(stored() == 1310);
}

TEST_CASE_FIXTURE(Fixture, "Import.BadLinesAreNamedAndDoNotLoseTheRest") {
  const std::string lines =
      event(1) +                                                                    // 1
      "{\"eventId\":\n" +                                                           // 2: broken JSON
      "\n  \n" +                                                                    // 3, 4: blank
      event(5) +                                                                    // 5
      event(6, "a", R"(,"unknown":1)") +                                            // 6: unknown member
      "[1,2]\n" +                                                                   // 7: no object
      event(8) +                                                                    // 8
      event(9, "") +                                                                // 9: empty aggregateId
      event(5) +                                                                    // 10: once more, the same
      event(5, "b") +                                                               // 11: id of other content
      event(12, "a", R"(,"aggregateType":"Late")") +                                // 12: `a` has no type, for ever
      event(13, "a", R"(,"sequenceNumber":99)") +                                   // 13: expectation not met
      event(14, "a", R"(,"metadata":{"x":"\ud800"})") +                             // 14: lone surrogate
      event(15, "a", ",\"metadata\":{\"x\":\"\xFF\"}") +                            // 15: invalid UTF-8
      event(16, "a", ",\"metadata\":{\"x\":\"" + std::string(3000, 'x') + "\"}") +  // 16: over the limit
      event(17).substr(0, event(17).size() - 1) + "\r\n" +                          // 17: carriage return
      event(18).substr(0, event(18).size() - 1);                                    // 18: no line end
  for (const int round : {1, 2}) {
    CAPTURE(round);
    const auto result = import(lines, {"--line-size-max", "2KiB"});
    CAPTURE(result.err);
    CHECK(result.exit_code == 1);
    for (const int bad : {2, 6, 7, 9, 11, 12, 13, 14, 15, 16})
      CHECK(contains(result.err, "line " + std::to_string(bad) + ": "));
    for (const int good : {1, 3, 4, 5, 8, 10, 17, 18})
      CHECK(!contains(result.err, "line " + std::to_string(good) + ": "));
    CHECK(contains(result.err, "unknown"));
    CHECK(contains(result.err, "event-id-conflict"));
    CHECK(contains(result.err, "--line-size-max"));
    CHECK(contains(result.err, round == 1 ? "5 stored, 1 already there, 10 bad" : "0 stored, 6 already there, 10 bad"));
  }
  const auto found = run_stele({"query", "--url", server.url(), "--aggregate", "a"});
  CHECK(line_count(found.out) == 5);
  for (const int good : {1, 5, 8, 17, 18}) CHECK(contains(found.out, "\"data\":{\"n\":" + std::to_string(good) + "}"));
}

TEST_CASE_FIXTURE(Fixture, "Import.WhatCouldNotComeBackAsItWasIsABadLine") {
  const auto result = import(event(1) +                                                              // 1
                             event(2, "a", R"(,"occurredAt":"2026-03-01T12:00:00.1234567Z")") +      // 2
                             event(3, "..") +                                                        // 3
                             event(4, ".") +                                                         // 4
                             event(5, "a", R"(,"occurredAt":"2026-03-01T12:00:00.123456+01:00")"));  // 5
  CAPTURE(result.err);
  CHECK(result.exit_code == 1);
  CHECK(contains(result.err, "2 stored, 0 already there, 3 bad"));
  CHECK(contains(result.err, "line 2: "));
  CHECK(contains(result.err, "at most six fractional digits"));
  CHECK(contains(result.err, "line 3: "));
  CHECK(contains(result.err, "line 4: "));
}

TEST_CASE_FIXTURE(Fixture, "Import.StrictSendsNothingBehindABadLine") {
  const auto malformed = import(events(0, 10) + "{\n" + events(10, 20), {"--strict"});
  CHECK(malformed.exit_code == 1);
  CHECK(contains(malformed.err, "line 11: "));
  CHECK(contains(malformed.err, "10 stored"));
  CHECK(stored() == 10);
  const auto invalid = import(events(0, 12) + event(12, "") + events(13, 20), {"--strict"});
  CHECK(invalid.exit_code == 1);
  CHECK(contains(invalid.err, "line 13: "));
  CHECK(stored() == 12);
  CHECK(import(events(0, 20), {"--strict", "--quiet"}).err.empty());
  CHECK(stored() == 20);
}

TEST_CASE_FIXTURE(Fixture, "Import.LinesWithoutIdAreStoredOnceByTheSameInput") {
  std::string lines;
  for (int n = 0; n < 40; ++n)
    lines += R"({"eventType":"Ticked","aggregateId":"clock","data":null})"
             "\n";
  const auto first = import(lines, {"--batch", "10"});  // four batches with the same bytes
  CAPTURE(first.err);
  CHECK(first.exit_code == 0);
  CHECK(contains(first.err, "line 1 has no eventId"));
  CHECK(contains(first.err, "40 stored"));
  CHECK(contains(import(lines, {"--batch", "10"}).err, "0 stored, 40 already there"));
  CHECK(stored() == 40);
}

TEST_CASE_FIXTURE(Fixture, "Import.DamagedCompressedInputIsAnErrorBehindTheLastWholeLine") {
  const std::string whole = compressed(events(0, 2000));
  const auto cut = import(std::string_view(whole).substr(0, whole.size() - 7));
  CAPTURE(cut.err);
  CHECK(cut.exit_code == 1);
  CHECK(contains(cut.err, "compressed input is damaged"));
  CHECK(contains(import(whole).err, "0 bad"));
  CHECK(stored() == 2000);
  CHECK(import("\x28\xB5\x2F\xFDnot really").exit_code == 1);
}

TEST_CASE_FIXTURE(Fixture, "Import.ReadsAFileAndSaysWhenItCannot") {
  std::ofstream(folder.file("events.ndjson")) << events(0, 5);
  const auto file = run_stele({"import", folder.file("events.ndjson"), "--url", server.url()});
  CHECK(file.exit_code == 0);
  const auto missing = run_stele({"import", folder.file("missing.ndjson"), "--url", server.url()});
  CHECK(missing.exit_code == 1);
  CHECK(contains(missing.err, "missing.ndjson"));
  CHECK(run_stele({"import", folder.path(), "--url", server.url()}).exit_code == 1);
  CHECK(import("").exit_code == 0);
}

TEST_CASE_FIXTURE(Fixture, "Import.ReadsGzipInAnyNumberOfMembers") {
  const auto result = import(gzipped(events(0, 700)) + gzipped("") + gzipped(events(700, 1500)));
  CAPTURE(result.err);
  CHECK(result.exit_code == 0);
  CHECK(contains(result.err, "1,500 stored"));
  const std::string whole = gzipped(events(1500, 3000));
  const auto cut = import(std::string_view(whole).substr(0, whole.size() - 9));
  CHECK(cut.exit_code == 1);
  CHECK(contains(cut.err, "compressed input is damaged"));
  const auto followed = import(whole + "something else");
  CHECK(followed.exit_code == 1);
  CHECK(contains(followed.err, "compressed input is damaged"));
  CHECK(import(whole).exit_code == 0);
  CHECK(stored() == 3000);
}

TEST_CASE_FIXTURE(Fixture, "Import.WhatCannotBeLinesOfEventsIsNamedOnce") {
  const std::string line = event(1), array = "[" + line + "," + line + "]";
  struct Row {
    std::string input, what;
  };
  for (const Row& row : std::vector<Row>{
           {"\xFF\xFE" + utf16(line, false), "UTF-16"},
           {"\xFE\xFF" + utf16(line, true), "UTF-16"},
           {utf16(line, false), "UTF-16"},
           {utf16(line, true), "UTF-16"},
           {std::string("\xFF\xFE\0\0", 4) + utf32(line, false), "UTF-32"},
           {std::string("\0\0\xFE\xFF", 4) + utf32(line, true), "UTF-32"},
           {utf32(line, false), "UTF-32"},
           {utf32(line, true), "UTF-32"},
           {array, "JSON array"},
           {" \r\n\n\t[\n" + line + "]\n", "JSON array"},
           {"\xEF\xBB\xBF[\n" + line + "]\n", "JSON array"},
           {"{\n  \"eventType\": \"T\"\n}\n", "over several lines"},
           {std::string("\xFD"
                        "7zXZ\0\0",
                        7) +
                "rest",
            "xz"},
           {"BZh91AY&SY", "bzip2"},
           {"PK\x03\x04rest", "ZIP"},
       }) {
    for (const std::string& input : {row.input, gzipped(row.input), compressed(row.input)}) {
      CAPTURE(row.input);
      const auto result = import(input);
      CAPTURE(result.err);
      CHECK(result.exit_code == 1);
      CHECK(contains(result.err, row.what));
      CHECK(line_count(result.err) == 1);
    }
  }
  const auto directory = run_stele({"import", folder.path(), "--url", server.url()});
  CHECK(contains(directory.err, folder.path()));
  CHECK(contains(directory.err, "Is a directory"));
  CHECK(line_count(directory.err) == 1);
  CHECK(stored() == 0);
  // Such a line among others is a bad line like any other.
  CHECK(contains(import(line + array).err, "line 2: "));
}

TEST_CASE_FIXTURE(Fixture, "Import.AByteOrderMarkIsSkippedAtTheStartOnly") {
  const std::string mark = "\xEF\xBB\xBF";
  for (const std::string& input :
       {mark + event(1), gzipped(mark + event(2)), compressed(mark + event(3)), mark + "\n" + event(4)}) {
    const auto result = import(input);
    CAPTURE(result.err);
    CHECK(result.exit_code == 0);
  }
  CHECK(contains(import(event(5) + mark + event(6)).err, "line 2: "));
  CHECK(stored() == 5);
  // The same in the other commands, and so in request bodies.
  std::ofstream(folder.file("data.json")) << mark << "{\"from\":\"file\"}";
  CHECK(run_stele({"append", "--url", server.url(), "--type", "T", "--aggregate", "m", "--data",
                   "@" + folder.file("data.json")})
            .exit_code == 0);
  CHECK(run_stele({"append", "-", "--url", server.url()}, mark + event(7)).exit_code == 0);
  CHECK(contains(run_stele({"query", "--url", server.url(), "--aggregate", "m"}).out, R"("data":{"from":"file"})"));
}

TEST_CASE_FIXTURE(Fixture, "Import.AZstdWindowBeyondTheLimitIsNamed") {
  // A frame that does not say how long it is has the size of its window in the sixth byte.
  ZSTD_CCtx* const context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);
  const std::string text = events(0, 2000);
  std::string frame(ZSTD_compressBound(text.size()), '\0');
  frame.resize(ZSTD_compress2(context, frame.data(), frame.size(), text.data(), text.size()));
  ZSTD_freeCCtx(context);
  const auto with_window = [&frame](int log) {
    frame[5] = static_cast<char>((log - 10) << 3);
    return frame;
  };
  const auto refused = import(with_window(28));
  CAPTURE(refused.err);
  CHECK(refused.exit_code == 1);
  CHECK(contains(refused.err, "window of more than 134217728 bytes"));
  CHECK(line_count(refused.err) == 1);
  CHECK(import(with_window(27)).exit_code == 0);
  CHECK(stored() == 2000);
  // A request may only have what HTTP allows.
  const HttpResponse body =
      HttpClient(server.port())
          .post("/v1/events", with_window(24), "application/x-ndjson", {{"Content-Encoding", "zstd"}});
  CHECK(body.status == 413);
  CHECK(contains(body.body, "window of more than 8388608 bytes"));
}

TEST_CASE_FIXTURE(Fixture, "Import.WhatQueryPrintsGoesBackIn") {
  std::mt19937 random(static_cast<unsigned>(std::random_device{}()));
  const auto seed = random();
  CAPTURE(seed);
  random.seed(seed);
  const auto one_of = [&random](const std::vector<std::string>& texts) { return texts[random() % texts.size()]; };
  const std::vector<std::string> data{"null",
                                      "1.0",
                                      "[1e2, 2]",
                                      R"({"position":1,"timestamp":"x","a":{"position":2}})",
                                      R"("\u0085 \ud83d\ude80")",
                                      R"({"k":1,"k":2})",
                                      "-0",
                                      "12345678901234567890"};
  for (int batch = 0; batch < 40; ++batch) {
    std::string body = "[";
    for (unsigned n = 0; n <= random() % 5; ++n) {
      const std::string aggregate = "é \"" + std::to_string(random() % 7);
      std::string members = R"("eventType":"T)" + std::to_string(random() % 3) + R"(","aggregateId":)";
      api::append_json_string(members, aggregate);
      members += R"(,"aggregateType":"Kind","data":)" + one_of(data);
      if (random() % 2 == 0) members += R"(,"metadata":{"sequenceNumber": 5})";
      if (random() % 2 == 0) members += R"(,"userId":"u")";
      if (random() % 2 == 0) members += R"(,"occurredAt":"2020-01-01T00:00:00+02:00")";
      if (random() % 2 == 0) members += R"(,"causationId":"c","correlationId":"k")";
      if (random() % 2 == 0) members += R"(,"version":7)";
      if (random() % 2 == 0) members += R"(,"tags":["vip","course:\u00e9"])";
      body += (n == 0 ? "{" : ",{") + members + "}";
    }
    REQUIRE(HttpClient(server.port()).post("/v1/events", body + "]").status == 201);
  }
  const std::string printed = run_stele({"query", "--url", server.url(), "--include-system"}).out;
  const std::string before = run_stele({"query", "--url", server.url()}).out;
  const auto own = line_count(printed) - line_count(before);
  CHECK(own > 0);
  auto other = ServerProcess::start({folder.file("other"), {"--segment-size", "1MiB"}, {}, 0});
  const auto again = [&](const std::string& input, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"import", "-", "--exported", "--url", other.url()});
    return run_stele(arguments, input);
  };
  const auto first = again(printed, {"--batch", std::to_string(1 + random() % 50)});
  CAPTURE(first.err);
  CHECK(first.exit_code == 0);
  CHECK(contains(first.err, ", 0 bad"));
  CHECK(contains(first.err, std::to_string(own) + " of the store's own records left out"));
  const std::string after = run_stele({"query", "--url", other.url()}).out;
  CHECK(without_places(after) == without_places(before));
  CHECK(without_places(after).front().find("\"timestamp\":\"2") == std::string::npos);
  // And once more, in other batches and compressed: nothing new.
  CHECK(contains(again(compressed(before), {}).err, " 0 stored"));
  CHECK(run_stele({"query", "--url", other.url()}).out == after);
  // A part of a store is a store too: numbers are given anew.
  auto part = ServerProcess::start({folder.file("part"), {"--segment-size", "1MiB"}, {}, 0});
  const std::string some = run_stele({"query", "--url", server.url(), "--type", "T1"}).out;
  CHECK(run_stele({"import", "-", "--exported", "--strict", "--url", part.url()}, some).exit_code == 0);
  CHECK(line_count(run_stele({"query", "--url", part.url()}).out) == line_count(some));
  // Without the flag the server says what is wrong.
  CHECK(contains(import(before).err, "Is given by the server"));
}

TEST_CASE_FIXTURE(Fixture, "Import.WhatWasRedactedIsDroppedOrNamed") {
  const std::string metadata = R"(,"metadata":{"who":"Ada"})";
  REQUIRE(import(event(1) + event(2, "a", metadata) + event(3, "a", metadata)).exit_code == 0);
  HttpClient client(server.port());
  const auto redact = [&client](const std::string& id, const std::string& member) {
    const HttpResponse asked =
        client.post("/v1/events/" + id + "/redact", R"({"reason":"erasure","members":[")" + member + R"("]})");
    REQUIRE_MESSAGE(asked.status == 202, asked.body);
    const std::string location(asked.header("Location"));
    REQUIRE(eventually([&] { return contains(client.get(location).body, R"("state":"completed")"); }));
  };
  redact("0190a000-0000-7000-8000-000000000002", "metadata");
  redact("0190a000-0000-7000-8000-000000000003", "data");
  const std::string printed = run_stele({"query", "--url", server.url()}).out;
  REQUIRE(contains(printed, R"("redacted":["metadata"])"));
  REQUIRE(contains(printed, R"("redacted":["data"])"));
  REQUIRE(contains(printed, R"("redaction":)"));
  auto other = ServerProcess::start({folder.file("other"), {"--segment-size", "1MiB"}, {}, 0});
  const auto result = run_stele({"import", "-", "--exported", "--url", other.url()}, printed);
  CAPTURE(result.err);
  CHECK(result.exit_code == 1);
  CHECK(contains(result.err, "line 3: cannot be stored: the event's data was redacted"));
  CHECK(contains(result.err, "2 stored, 0 already there, 1 bad"));
  const std::string stored_there = run_stele({"query", "--url", other.url()}).out;
  CHECK(line_count(stored_there) == 2);
  CHECK(contains(stored_there, R"("data":{"n":2})"));
  CHECK_FALSE(contains(stored_there, "redact"));
}

TEST_CASE_FIXTURE(Fixture, "Import.GivesUpOnAnAbsentServerAfterItsTime") {
  CHECK(server.stop() == 0);
  const auto result = import(events(0, 5), {"--retry-for", "0"});
  CHECK(result.exit_code == 1);
  CHECK(contains(result.err, "cannot connect"));
  CHECK(contains(result.err, "behind line 0"));
}

TEST_CASE_FIXTURE(Fixture, "Import.RidesOutAKillAndRestartOfTheServer") {
  auto importer =
      ChildProcess::start({stele_binary(), "import", "-", "--url", server.url(), "--batch", "20"}, {}, true);
  REQUIRE(importer->write_stdin(events(0, 600)));
  HttpClient client(server.port());
  while (!contains(client.get("/v1/events?limit=1&order=desc").body, "\"n\":5")) REQUIRE(importer->running());
  server.kill();
  options.port = server.port();
  server = ServerProcess::start(options);
  REQUIRE(importer->write_stdin(events(600, 1500)));
  importer->close_stdin();
  const int code = importer->wait();
  CAPTURE(importer->err());
  CHECK(code == 0);
  CHECK(contains(importer->err(), ", 0 bad"));
  CHECK(stored() == 1500);
  CHECK(contains(import(events(0, 1500), {"--batch", "20"}).err, "0 stored, 1,500 already there"));
}

}  // namespace stele::tests
