#pragma once
// What a Redis answers, read by hiredis and bounded here: RESP2 answers to commands that have no lists as answers.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "engine/base/result.h"

struct redisReader;

namespace stele::net {

struct RedisReply {
  enum class Kind : std::uint8_t { Nil, Integer, Text, Error };
  Kind kind = Kind::Nil;
  std::int64_t integer = 0;
  std::string text;  ///< any bytes; of an error, its code and words

  /// Of an error: its code, like WRONGPASS. Nothing else of it is fit to be shown, since a Redis may repeat in its
  /// words what it was told, passwords too.
  [[nodiscard]] std::string_view error_code() const;
};

/// Bytes in, replies out; no I/O. After an error there is nothing more to be read. One thread.
class RedisReplyReader {
 public:
  explicit RedisReplyReader(std::size_t reply_bytes_max);
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
  const std::unique_ptr<redisReader, Freed> reader_;
};

/// A command with its arguments, as it is sent. Throws std::bad_alloc.
[[nodiscard]] std::string redis_command(std::initializer_list<std::string_view> arguments);

}  // namespace stele::net
