// What a Redis answers, in pieces of any size, and states that it gives back.

#include "net/redis/redis_reply_reader.h"
#include "net/redis/redis_url.h"
#include "net/redis/state_value.h"
#include "tests/fuzz/fuzz_target.h"

namespace stele::net {
namespace {

constexpr std::size_t kReplyBytesMax = 512;
constexpr std::size_t kListItemsMax = 12;

/// Checks its bounds; adds up what is in it.
void check_reply(const RedisReply& reply, std::size_t depth, std::size_t& bytes, std::size_t& items) {
  STELE_CHECK(!reply.error_code().empty() && reply.error_code().size() <= 32);
  STELE_CHECK(reply.items.empty() ||
              (reply.kind == RedisReply::Kind::List && depth < RedisReplyReader::list_depth_max));
  bytes += reply.text.size();
  items += reply.items.size();
  for (const RedisReply& item : reply.items) check_reply(item, depth + 1, bytes, items);
}

/// How many replies there are in bytes that come in pieces of this size.
std::size_t count_replies(std::string_view input, std::size_t piece, std::size_t list_items_max) {
  RedisReplyReader reader(kReplyBytesMax, list_items_max);
  std::size_t replies = 0;
  for (std::size_t at = 0; at < input.size(); at += piece) {
    if (!reader.feed(input.substr(at, piece))) return replies;
    RedisReply reply;
    while (true) {
      const auto next = reader.next(reply);
      if (!next) return replies;
      if (!*next) break;
      ++replies;
      std::size_t bytes = 0, items = 0;
      check_reply(reply, 0, bytes, items);
      STELE_CHECK(bytes <= kReplyBytesMax && items <= list_items_max);
      STELE_CHECK(list_items_max != 0 || reply.kind != RedisReply::Kind::List);
    }
  }
  return replies;
}

std::vector<std::string> seeds() {
  return {"+PONG\r\n:42\r\n$5\r\nhello\r\n$-1\r\n-WRONGPASS no\r\n",
          "*2\r\n:1\r\n:2\r\n",
          "$600\r\n",
          "redis://us%40er:p%3Ass@[::1]:7000/12",
          "*3\r\n$3\r\n5-0\r\n-ERR no\r\n*2\r\n:1\r\n$-1\r\n*0\r\n*-1\r\n",
          "*2\r\n$17\r\nlast-generated-id\r\n$3\r\n5-0\r\n",
          "*1\r\n*1\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n"};
}

}  // namespace

FUZZ_TARGET(redis_reply, seeds) {
  const fuzz::Exact exact(input);
  for (const std::size_t list_items_max : {std::size_t{0}, kListItemsMax}) {
    // Bytes that come one by one may stay within a bound that they break together.
    STELE_CHECK(count_replies(exact.view(), 1, list_items_max) >=
                count_replies(exact.view(), input.size() + 1, list_items_max));
  }

  // Nobody guesses a MAC.
  const Uuid store{};
  const Digest secret{};
  STELE_CHECK(!decode_state_value(secret, {store, "a", secret}, exact.view()));

  const auto url = parse_redis_url(exact.view());
  if (const auto* const parsed = std::get_if<RedisUrl>(&url)) STELE_CHECK(!parsed->host.empty() && parsed->port != 0);
}

}  // namespace stele::net
