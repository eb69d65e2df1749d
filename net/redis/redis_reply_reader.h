#pragma once
// What a Redis answers (RESP2), read by hiredis and bounded here.

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"

struct redisReader;

namespace stele::net {

struct RedisReply {
  enum class Kind : std::uint8_t { Nil, Integer, Text, Error, List };
  Kind kind = Kind::Nil;
  std::int64_t integer = 0;
  std::string text;  ///< any bytes; of an error, its code and words
  std::vector<RedisReply> items{};

  /// Of an error: its code, like WRONGPASS. Nothing else of it is fit to be shown, since a Redis may repeat in its
  /// words what it was told, passwords too.
  [[nodiscard]] std::string_view error_code() const;
};

struct RedisReplyBounds;

/// Bytes in, replies out; no I/O. After an error there is nothing more to be read. One thread.
class RedisReplyReader {
 public:
  /// A list within a list within a list is at this depth.
  static constexpr std::size_t list_depth_max = 3;

  /// `list_items_max`: of all lists of a reply together; 0 = no command that is sent has a list as its answer.
  explicit RedisReplyReader(std::size_t reply_bytes_max, std::size_t list_items_max = 0);
  ~RedisReplyReader();
  RedisReplyReader(const RedisReplyReader&) = delete;
  RedisReplyReader& operator=(const RedisReplyReader&) = delete;

  /// InvalidArgument as of next().
  [[nodiscard]] Status feed(std::string_view bytes);
  /// False until more bytes come. InvalidArgument: these bytes are no reply that was asked for, or a larger one than
  /// may be. Take all there are before feeding more.
  [[nodiscard]] Result<bool> next(RedisReply& to);

 private:
  struct Freed {
    void operator()(redisReader* reader) const;
  };
  const std::size_t reply_bytes_max_;
  const std::unique_ptr<RedisReplyBounds> bounds_;  ///< hiredis knows its address
  const std::unique_ptr<redisReader, Freed> reader_;
};

/// A command with its arguments, as it is sent. Throws std::bad_alloc.
[[nodiscard]] std::string redis_command(std::span<const std::string_view> arguments);
[[nodiscard]] std::string redis_command(std::initializer_list<std::string_view> arguments);

}  // namespace stele::net
