#include "net/redis/redis_reply_reader.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace stele;
using namespace stele::net;

namespace {

constexpr std::size_t kBytesMax = 200;
constexpr std::size_t kItemsMax = 8;

std::string text_of_reply(const RedisReply& reply) {
  switch (reply.kind) {
    case RedisReply::Kind::Nil:
      return "nil";
    case RedisReply::Kind::Integer:
      return std::to_string(reply.integer);
    case RedisReply::Kind::Text:
      return "'" + reply.text + "'";
    case RedisReply::Kind::Error:
      return "!" + reply.text;
    case RedisReply::Kind::List:
      break;
  }
  std::string text = "[";
  for (const RedisReply& item : reply.items) text += (text.size() > 1 ? " " : "") + text_of_reply(item);
  return text + "]";
}

/// As text; the last one says why there are no more, if they were refused.
std::vector<std::string> redis_replies(const std::string& bytes, std::size_t piece) {
  RedisReplyReader reader(kBytesMax, kItemsMax);
  std::vector<std::string> replies;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    if (const Status fed = reader.feed(std::string_view(bytes).substr(at, piece)); !fed) {
      replies.push_back(fed.error().message);
      return replies;
    }
    for (RedisReply reply;;) {
      const auto next = reader.next(reply);
      if (!next) {
        replies.push_back(next.error().message);
        return replies;
      }
      if (!*next) break;
      replies.push_back(text_of_reply(reply));
    }
  }
  return replies;
}

}  // namespace

TEST_CASE("RedisReplyReader.ListsOfListsComeWholeInAnyPieces") {
  const std::string bytes =
      "*3\r\n$1\r\na\r\n*2\r\n$3\r\n5-0\r\n*2\r\n$0\r\n\r\n:7\r\n-ERR no\r\n"
      "*0\r\n*-1\r\n*2\r\n*0\r\n*-1\r\n+OK\r\n*1\r\n$-1\r\n";
  const std::vector<std::string> expected{"['a' ['5-0' ['' 7]] !ERR no]", "[]", "nil", "[[] nil]", "'OK'", "[nil]"};
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) CHECK(redis_replies(bytes, piece) == expected);
}

TEST_CASE("RedisReplyReader.ListsAreBounded") {
  const std::string too_large = "an answer that is too large";
  const auto last = [](const std::string& bytes) {
    const auto replies = redis_replies(bytes, 7);
    return replies.empty() ? std::string() : replies.back();
  };
  const auto integers = [](std::size_t count) {
    std::string bytes = "*" + std::to_string(count) + "\r\n";
    for (std::size_t i = 0; i < count; ++i) bytes += ":1\r\n";
    return bytes;
  };
  CHECK_EQ(last(integers(kItemsMax)), "[1 1 1 1 1 1 1 1]");
  // Before memory is taken for what is announced.
  CHECK_EQ(last("*9\r\n"), too_large);
  CHECK_EQ(last("*2147483647\r\n"), too_large);
  CHECK_EQ(last("*2\r\n" + integers(3) + integers(4)), too_large);
  CHECK_EQ(last("*2\r\n" + integers(3) + integers(3)), "[[1 1 1] [1 1 1]]");
  CHECK_EQ(last("*1\r\n*1\r\n*1\r\n:1\r\n"), "[[[1]]]");
  CHECK_EQ(last("*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n"), too_large);
  // Texts that are each within the bound.
  const std::string text = "$90\r\n" + std::string(90, 'x') + "\r\n";
  CHECK(last("*2\r\n" + text + text).ends_with("x']"));
  CHECK_EQ(last("*3\r\n" + text + text + text), too_large);
  CHECK_EQ(last("*1\r\n$300\r\n" + std::string(300, 'x')), too_large);
  // The bounds are for each reply.
  CHECK_EQ(redis_replies(integers(8) + integers(8) + "*1\r\n" + text + "*2\r\n" + text + text, 7).size(), 4);
}

TEST_CASE("RedisReplyReader.ListsAreNoRepliesWhereNoneIsAskedFor") {
  for (const char* const bytes : {"*1\r\n:1\r\n", "*0\r\n"}) {
    RedisReplyReader reader(kBytesMax);
    REQUIRE(reader.feed(bytes));
    RedisReply reply;
    const auto next = reader.next(reply);
    REQUIRE_FALSE(next);
    CHECK_EQ(next.error().message, "no answers of a Redis");
  }
}
