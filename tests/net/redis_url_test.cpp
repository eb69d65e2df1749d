#include "net/redis/redis_url.h"

#include <doctest/doctest.h>

using namespace stele::net;

TEST_CASE("RedisUrl.SaysWhereAndWho") {
  const auto parse = [](std::string_view text) {
    const auto parsed = parse_redis_url(text);
    const auto* const wrong = std::get_if<std::string>(&parsed);
    REQUIRE_MESSAGE(wrong == nullptr, text, ": ", (wrong == nullptr ? "" : *wrong));
    return std::get<RedisUrl>(parsed);
  };
  const RedisUrl plain = parse("redis://cache.example");
  CHECK_EQ(plain.address(), "cache.example:6379");
  CHECK_EQ(plain.user + plain.password, "");
  CHECK_EQ(plain.database, 0);
  const RedisUrl full = parse("redis://us%40er:p%3A%2F%40ss:word@[::1]:7000/12");
  CHECK_EQ(full.user, "us@er");
  CHECK_EQ(full.password, "p:/@ss:word");
  CHECK_EQ(full.host, "::1");
  CHECK_EQ(full.address(), "[::1]:7000");
  CHECK_EQ(full.database, 12);
  CHECK_EQ(parse("redis://:secret@h/").password, "secret");
  CHECK_EQ(parse("redis://:+@h:1/").password, "+");
  CHECK_EQ(parse("REDIS://127.0.0.1:6380").address(), "127.0.0.1:6380");
  CHECK_EQ(parse("Redis://:Secret@h").password, "Secret");
}

TEST_CASE("RedisUrl.WhatIsWrongIsSaidWithoutThePassword") {
  for (const char* const text : {"",
                                 "redis:/h",
                                 "redis://",
                                 "redis://:6379",
                                 "redis://h:",
                                 "redis://h:0",
                                 "redis://h:65536",
                                 "redis://h:6379x",
                                 "redis://h/-1",
                                 "redis://h/1/2",
                                 "redis://h/99999999999",
                                 "redis://h?db=1",
                                 "redis://h#1",
                                 "redis://[::1",
                                 "redis://[::1]x",
                                 "redis://a b",
                                 "redis://u:SESAME%zz@h",
                                 "redis://u:SESAME@x@h",
                                 "redis://u:SESAME@h:x",
                                 "redis://u:SESAME%ff@h",
                                 "rediss://u:SESAME@h",
                                 "REDISS://u:SESAME@h",
                                 "RED",
                                 "redis\x1a//h"}) {
    CAPTURE(text);
    const auto parsed = parse_redis_url(text);
    REQUIRE(std::holds_alternative<std::string>(parsed));
    CHECK_FALSE(std::get<std::string>(parsed).empty());
    CHECK_EQ(std::get<std::string>(parsed).find("SESAME"), std::string::npos);
  }
}
