// What a Redis answers, in pieces of any size, and states that it gives back.

#include "net/redis/redis_reply_reader.h"
#include "net/redis/redis_url.h"
#include "net/redis/state_value.h"
#include "tests/fuzz/fuzz_target.h"

namespace stele::net {
namespace {

constexpr std::size_t kReplyBytesMax = 512;

std::vector<std::string> seeds() {
  return {"+PONG\r\n:42\r\n$5\r\nhello\r\n$-1\r\n-WRONGPASS no\r\n", "*2\r\n:1\r\n:2\r\n", "$600\r\n",
          "redis://us%40er:p%3Ass@[::1]:7000/12"};
}

}  // namespace

FUZZ_TARGET(redis_reply, seeds) {
  const fuzz::Exact exact(input);
  std::size_t whole = 0, pieces = 0;
  for (const std::size_t step : {input.size() + 1, std::size_t{1}}) {
    RedisReplyReader reader(kReplyBytesMax);
    std::size_t& replies = step == 1 ? pieces : whole;
    bool good = true;
    for (std::size_t at = 0; good && at < input.size(); at += step) {
      good = static_cast<bool>(reader.feed(exact.view().substr(at, step)));
      RedisReply reply;
      while (good) {
        const auto next = reader.next(reply);
        good = static_cast<bool>(next);
        if (!good || !*next) break;
        ++replies;
        STELE_CHECK(reply.text.size() <= kReplyBytesMax);
        STELE_CHECK(!reply.error_code().empty() && reply.error_code().size() <= 32);
      }
    }
  }
  // Bytes that come one by one may stay within a bound that they break together.
  STELE_CHECK(pieces >= whole);

  // Nobody guesses a MAC.
  const Uuid store{};
  const Digest secret{};
  STELE_CHECK(!decode_state_value(secret, {store, "a", secret}, exact.view()));

  const auto url = parse_redis_url(exact.view());
  if (const auto* const parsed = std::get_if<RedisUrl>(&url)) STELE_CHECK(!parsed->host.empty() && parsed->port != 0);
}

}  // namespace stele::net
