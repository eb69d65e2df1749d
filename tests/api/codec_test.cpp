// Timestamps, percent-encoding, base64, cursors, writing JSON, query parameters.

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <random>

#include "api/events/event_json.h"
#include "api/http/base64.h"
#include "api/http/cursor.h"
#include "api/http/parameters.h"
#include "api/http/percent.h"
#include "api/json/json_writer.h"
#include "api/json/timestamp.h"

using namespace stele;
using namespace stele::api;

TEST_CASE("Timestamp.GoodTextsGiveMicroseconds") {
  const std::pair<const char*, const char*> cases[] = {
      {"2026-03-01T12:00:00Z", "2026-03-01T12:00:00.000000Z"},
      {"2026-03-01t12:00:00z", "2026-03-01T12:00:00.000000Z"},
      {"2026-03-01T12:00:00.5+02:00", "2026-03-01T10:00:00.500000Z"},
      {"2026-03-01T00:30:00-05:30", "2026-03-01T06:00:00.000000Z"},
      {"2026-01-01T00:30:00+01:00", "2025-12-31T23:30:00.000000Z"},
      {"2026-03-01T12:00:00.123456Z", "2026-03-01T12:00:00.123456Z"},
      {"2026-03-01T12:00:00.1Z", "2026-03-01T12:00:00.100000Z"},
      {"2026-03-01T12:00:00-00:00", "2026-03-01T12:00:00.000000Z"},
      {"2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000000Z"},
      {"1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z"},
      {"0000-01-01T00:00:00Z", "0000-01-01T00:00:00.000000Z"},
      {"9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"},
      {"2016-12-31T23:59:60Z", "2016-12-31T23:59:59.999999Z"},
      {"2016-12-31T23:59:60.7Z", "2016-12-31T23:59:59.999999Z"},
      {"2017-01-01T00:59:60+01:00", "2016-12-31T23:59:59.999999Z"},
  };
  for (const auto& [text, expected] : cases) {
    CAPTURE(text);
    for (const FinerTimes finer : {FinerTimes::Refuse, FinerTimes::RoundUp}) {
      const auto time = parse_timestamp(text, finer);
      REQUIRE(time);
      CHECK(format_timestamp(*time) == expected);
    }
  }
  CHECK(parse_timestamp("1970-01-01T00:00:01.000001Z", FinerTimes::Refuse)->micros == 1'000'001);
}

TEST_CASE("Timestamp.FinerTimesThanMicrosecondsAreRoundedUpOrRefusedAndNeverCut") {
  const std::pair<const char*, const char*> cases[] = {
      {"2026-03-01T12:00:00.123456789Z", "2026-03-01T12:00:00.123457Z"},
      {"2026-03-01T12:00:00.1234561Z", "2026-03-01T12:00:00.123457Z"},
      {"2026-03-01T12:00:00.123456001Z", "2026-03-01T12:00:00.123457Z"},
      {"2026-03-01T12:00:00.123456000Z", "2026-03-01T12:00:00.123456Z"},
      {"2026-03-01T12:00:00.1234560+02:00", "2026-03-01T10:00:00.123456Z"},
      {"2026-12-31T23:59:59.999999999Z", "2027-01-01T00:00:00.000000Z"},
      {"2024-02-29T23:59:59.9999991-00:30", "2024-03-01T00:30:00.000000Z"},
      {"1969-12-31T23:59:59.9999995Z", "1970-01-01T00:00:00.000000Z"},
      {"1969-12-31T23:59:59.9999985Z", "1969-12-31T23:59:59.999999Z"},
      {"0000-01-01T00:00:00.0000001Z", "0000-01-01T00:00:00.000001Z"},
      {"2016-12-31T23:59:60.1234567Z", "2016-12-31T23:59:59.999999Z"},
  };
  for (const auto& [text, expected] : cases) {
    CAPTURE(text);
    const auto time = parse_timestamp(text, FinerTimes::RoundUp);
    REQUIRE(time);
    CHECK(format_timestamp(*time) == expected);
    CHECK(!parse_timestamp(text, FinerTimes::Refuse));
  }
  // Behind everything that can be stored, so that a bound of it leaves nothing out.
  const auto last = parse_timestamp("9999-12-31T23:59:59.999999Z", FinerTimes::RoundUp);
  const auto behind = parse_timestamp("9999-12-31T23:59:59.9999991Z", FinerTimes::RoundUp);
  REQUIRE(last);
  REQUIRE(behind);
  CHECK(behind->micros == last->micros + 1);
}

TEST_CASE("Timestamp.OtherTextsAreRefused") {
  for (const char* text : {"",
                           "2026",
                           "2026-03-01",
                           "2026-03-01 12:00:00Z",
                           "2026-03-01T12:00Z",
                           "2026-03-01T12:00:00",
                           "2026-3-01T12:00:00Z",
                           "2026-13-01T12:00:00Z",
                           "2026-00-01T12:00:00Z",
                           "2026-02-29T12:00:00Z",
                           "2026-04-31T12:00:00Z",
                           "2026-03-00T12:00:00Z",
                           "2026-03-01T24:00:00Z",
                           "2026-03-01T12:60:00Z",
                           "2026-03-01T12:00:61Z",
                           "2026-03-01T12:00:60Z",
                           "2026-03-15T23:59:60Z",
                           "2016-12-31T23:59:60+01:00",
                           "2026-03-01T12:00:00.Z",
                           "2026-03-01T12:00:00.1234567890Z",
                           "2026-03-01T12:00:00+24:00",
                           "2026-03-01T12:00:00+02:60",
                           "2026-03-01T12:00:00+0200",
                           "2026-03-01T12:00:00+02",
                           "2026-03-01T12:00:00Zx",
                           "2026-03-01T12:00:00Z ",
                           " 2026-03-01T12:00:00Z",
                           "+2026-03-01T12:00:00Z",
                           "0000-01-01T00:00:00+00:01",
                           "9999-12-31T23:59:59-00:01",
                           "2026-03-01T12:00:00,5Z",
                           "2026-03-01T-1:00:00Z",
                           "99999-03-01T12:00:00Z"}) {
    CAPTURE(text);
    CHECK(!parse_timestamp(text, FinerTimes::Refuse));
    CHECK(!parse_timestamp(text, FinerTimes::RoundUp));
  }
}

TEST_CASE("Timestamp.FormatAndParseAreInverse") {
  const unsigned seed = std::random_device{}();
  MESSAGE("seed ", seed);
  std::mt19937_64 random(seed);
  std::uniform_int_distribution<std::int64_t> micros(-62'167'219'200'000'000, 253'402'300'799'999'999);
  for (int i = 0; i < 20'000; ++i) {
    const Timestamp time{micros(random)};
    REQUIRE(parse_timestamp(format_timestamp(time), FinerTimes::Refuse) == time);
  }
}

TEST_CASE("Percent.DecodesOneRound") {
  CHECK(percent_decode("src%2Fserver.c", PlusMeans::Plus) == "src/server.c");
  CHECK(percent_decode("a%2fb%252F", PlusMeans::Plus) == "a/b%2F");
  CHECK(percent_decode("a+b", PlusMeans::Plus) == "a+b");
  CHECK(percent_decode("a+b%2B", PlusMeans::Space) == "a b+");
  CHECK(percent_decode("%C3%A4", PlusMeans::Plus) == "ä");
  CHECK(percent_decode("", PlusMeans::Plus) == "");
  for (const char* text : {"%", "%4", "a%4", "%zz", "%4g", "%-1", "%C3", "%ED%A0%80", "%FF", "%C0%80"}) {
    CAPTURE(text);
    CHECK(!percent_decode(text, PlusMeans::Plus));
  }
}

TEST_CASE("Percent.EncodingComesBack") {
  std::string all;
  for (int c = 0; c < 128; ++c) all += static_cast<char>(c);
  all += "äöü€😀";
  std::string text;
  append_percent_encoded(text, all);
  CHECK(text.find_first_of("/?#&=+ \"<>") == std::string::npos);
  CHECK(percent_decode(text, PlusMeans::Space) == all);
}

TEST_CASE("Base64.KnownValues") {
  CHECK(base64_encode("") == "");
  CHECK(base64_encode("f") == "Zg==");
  CHECK(base64_encode("fo") == "Zm8=");
  CHECK(base64_encode("foobar") == "Zm9vYmFy");
  CHECK(base64_encode("\xff\xef") == "/+8=");
  CHECK(base64url_encode("\xff\xef") == "_-8");
  CHECK(base64url_decode("_-8") == "\xff\xef");
  CHECK(!base64url_decode("_-9"));  // unused bits set
  CHECK(!base64url_decode("_"));
  CHECK(!base64url_decode("Zg=="));
  CHECK(!base64url_decode("/+8"));
}

TEST_CASE("Cursor.ComesBackForTheSameQueryOnly") {
  const Cursor cursor{CursorKind::Aggregates, Direction::Ascending, Position{77}, "src/server.c"};
  const std::string text = encode_cursor(cursor, 42);
  const auto decode = [&](CursorKind kind, Direction direction, std::uint64_t filters) {
    return decode_cursor(text, kind, direction, filters);
  };
  CHECK(std::get<Cursor>(decode(CursorKind::Aggregates, Direction::Ascending, 42)) == cursor);
  CHECK(std::get<CursorError>(decode(CursorKind::Aggregates, Direction::Ascending, 43)) == CursorError::OtherQuery);
  CHECK(std::get<CursorError>(decode(CursorKind::Aggregates, Direction::Descending, 42)) == CursorError::OtherQuery);
  CHECK(std::get<CursorError>(decode(CursorKind::Events, Direction::Ascending, 42)) == CursorError::OtherQuery);
}

TEST_CASE("Cursor.EveryChangedCharacterIsFound") {
  const std::string text = encode_cursor({CursorKind::Events, Direction::Descending, Position{123456}, {}}, 99);
  const std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/ %";
  const auto mangled = [](const std::string& changed) {
    const auto result = decode_cursor(changed, CursorKind::Events, Direction::Descending, 99);
    return std::holds_alternative<CursorError>(result) && std::get<CursorError>(result) == CursorError::Mangled;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    for (const char c : alphabet) {
      if (c == text[i]) continue;
      std::string changed = text;
      changed[i] = c;
      REQUIRE(mangled(changed));
    }
    REQUIRE(mangled(text.substr(0, i)));
  }
  CHECK(mangled(text + "A"));
  CHECK(mangled(""));
}

TEST_CASE("JsonWriter.EscapesOnlyWhatJsonDemands") {
  const auto written = [](std::string_view text) {
    std::string to;
    append_json_string(to, text);
    return to;
  };
  CHECK(written("") == R"("")");
  CHECK(written("plain /ä€😀\x7f") == "\"plain /ä€😀\x7f\"");
  CHECK(written("a\"b\\c") == R"("a\"b\\c")");
  CHECK(written("\b\f\n\r\t") == R"("\b\f\n\r\t")");
  CHECK(written(std::string_view("\0\x01\x1f", 3)) == R"("\u0000\u0001\u001f")");
}

TEST_CASE("JsonWriter.FindsWhatMustBeEscapedAtEveryPlaceOfEveryLength") {
  const std::pair<const char*, const char*> cases[] = {
      {"\"", "\\\""}, {"\\", "\\\\"}, {"\x1f", "\\u001f"}, {"\n", "\\n"}, {"\x7f", "\x7f"}, {"ä", "ä"}};
  for (std::size_t length = 0; length < 50; ++length) {
    for (std::size_t place = 0; place <= length; ++place) {
      for (const auto& [special, escaped] : cases) {
        const std::string before(place, 'x'), behind(length - place, '~');
        std::string to = "[";
        append_json_string(to, before + special + behind);
        REQUIRE(to == "[\"" + before + escaped + behind + "\"");
      }
    }
  }
}

TEST_CASE("EventJson.TheLongestStringsHaveRoomWhenEachByteIsEscaped") {
  const std::string text(kStringBytesMax, '\x1f');
  RecordHeader header;
  header.position = Position{~0ULL};
  header.sequence = SequenceNumber{~0ULL};
  header.schema_version = ~0U;
  header.time = Timestamp{std::numeric_limits<std::int64_t>::max()};
  header.occurred_at = Timestamp{std::numeric_limits<std::int64_t>::min()};
  header.aggregate_id = header.event_type = text;
  header.aggregate_type = header.user_id = header.correlation_id = header.causation_id = header.action = text;
  header.data_length = 2;
  std::string bytes;
  append_record(bytes, header, Seed{}, RecordBody{.data = "{}"});
  Record record;
  std::ranges::copy(bytes, record.prepare(bytes.size()).begin());
  REQUIRE(record.decode());
  std::string json;
  append_event_json(json, record, DataForm::AsSent);
  std::string escaped = "\"";
  for (std::size_t i = 0; i < text.size(); ++i) escaped += "\\u001f";
  escaped += '"';
  CHECK(json == "{\"eventId\":\"00000000-0000-0000-0000-000000000000\",\"eventType\":" + escaped + ",\"aggregateId\":" +
                    escaped + ",\"aggregateType\":" + escaped +
                    ",\"sequenceNumber\":18446744073709551615,\"position\":18446744073709551615"
                    ",\"timestamp\":\"9999-12-31T23:59:59.999999Z\",\"occurredAt\":\"0000-01-01T00:00:00.000000Z\""
                    ",\"version\":4294967295,\"userId\":" +
                    escaped + ",\"correlationId\":" + escaped + ",\"causationId\":" + escaped + ",\"action\":" + escaped +
                    ",\"data\":{}}");
}

TEST_CASE("JsonWriter.PlacesCommas") {
  std::string to;
  JsonWriter json(to);
  json.begin_object().key("a").number(1).key("b").begin_array().end_array().key("c").begin_array();
  json.string("x").null().boolean(true).begin_object().end_object().raw("[ ]").end_array();
  json.key("d").number(std::uint64_t{18446744073709551615U}).end_object();
  CHECK(to == R"({"a":1,"b":[],"c":["x",null,true,{},[ ]],"d":18446744073709551615})");
}

TEST_CASE("Parameters.GoodValuesAreRead") {
  Parameters parameters("a=x%20y&n=17&t=2026-03-01T12:00:00+02:00&f=true&r=1&r=2&&empty",
                        {"a", "n", "t", "f", "r", "empty", "absent"});
  CHECK(parameters.text("a") == "x y");
  CHECK(parameters.integer("n", 0, 100) == 17);
  CHECK(format_timestamp(parameters.timestamp("t").value()) == "2026-03-01T10:00:00.000000Z");
  CHECK(parameters.flag("f") == true);
  CHECK(parameters.texts("r") == std::vector<std::string>{"1", "2"});
  CHECK(parameters.has("empty"));
  CHECK(!parameters.text("absent"));
  CHECK(!parameters.problem());
  CHECK(parameters.encoded({"t", "r", "empty"}) == "a=x%20y&n=17&f=true");
}

TEST_CASE("Parameters.FaultsNameTheParameter") {
  const auto fault = [](std::string_view query) {
    Parameters parameters(query, {"a", "n", "t", "f"});
    (void)parameters.text("a");
    (void)parameters.integer("n", 1, 1000);
    (void)parameters.timestamp("t");
    (void)parameters.flag("f");
    const auto problem = parameters.problem();
    if (!problem) return std::string("none");
    return std::string(problem->kind().slug) + " " + problem->field_errors().front().where;
  };
  CHECK(fault("") == "none");
  CHECK(fault("b=1") == "unknown-parameter b");
  CHECK(fault("A=1") == "unknown-parameter A");
  CHECK(fault("n=0&b=1") == "unknown-parameter b");
  CHECK(fault("a=1&a=2") == "invalid-parameter a");
  CHECK(fault("a=") == "invalid-parameter a");
  CHECK(fault("a") == "invalid-parameter a");
  CHECK(fault("a=" + std::string(256, 'x')) == "invalid-parameter a");
  CHECK(fault("a=%zz") == "invalid-parameter a");
  CHECK(fault("a=%ff") == "invalid-parameter a");
  for (const char* n : {"0", "1001", "-1", "+1", "1.0", "1e2", "x", "%20", "1%20", "99999999999999999999", "0x1"}) {
    CAPTURE(n);
    CHECK(fault("n=" + std::string(n)) == "invalid-parameter n");
  }
  CHECK(fault("t=yesterday") == "invalid-parameter t");
  CHECK(fault("f=1") == "invalid-parameter f");
  CHECK(fault("f=True") == "invalid-parameter f");
}
