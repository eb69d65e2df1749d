#include "net/redis/redis_reply_reader.h"

#include <hiredis/hiredis.h>

#include <new>
#include <utility>
#include <vector>

namespace stele::net {

namespace {

// Called by C, which no exception may pass. Null is taken for a lack of memory there: the reader goes no further.

RedisReply* make_reply(RedisReply::Kind kind, std::int64_t integer, std::string_view text) noexcept {
  try {
    return std::make_unique<RedisReply>(RedisReply{kind, integer, std::string(text)}).release();
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

void* text_reply(const redisReadTask* task, char* bytes, std::size_t size) {
  return make_reply(task->type == REDIS_REPLY_ERROR ? RedisReply::Kind::Error : RedisReply::Kind::Text, 0,
                    {bytes, size});
}

/// No command that is sent has a list for an answer. hiredis would take memory for as many members as are announced.
void* no_list(const redisReadTask*, int) { return nullptr; }

void* integer_reply(const redisReadTask*, long long integer) {
  return make_reply(RedisReply::Kind::Integer, integer, {});
}

void* nil_reply(const redisReadTask*) { return make_reply(RedisReply::Kind::Nil, 0, {}); }

void free_reply(void* reply) { delete static_cast<RedisReply*>(reply); }

redisReplyObjectFunctions* reply_functions() {
  static redisReplyObjectFunctions functions{text_reply, no_list, integer_reply, nil_reply, free_reply};
  return &functions;
}

Error no_reply(const char* what) { return Error{ErrorKind::InvalidArgument, what}; }

}  // namespace

std::string_view RedisReply::error_code() const {
  const std::string_view code = std::string_view(text).substr(0, text.find(' '));
  const bool is_code =
      code.size() <= 32 && code.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ") == std::string_view::npos;
  return is_code && !code.empty() ? code : "ERR";
}

void RedisReplyReader::Freed::operator()(redisReader* reader) const { redisReaderFree(reader); }

RedisReplyReader::RedisReplyReader(std::size_t reply_bytes_max)
    : reply_bytes_max_(reply_bytes_max), reader_(redisReaderCreateWithFunctions(reply_functions())) {
  if (!reader_) throw std::bad_alloc();
}

RedisReplyReader::~RedisReplyReader() = default;

Status RedisReplyReader::feed(std::string_view bytes) {
  // What is left of a reply that is not whole yet.
  if (reader_->len - reader_->pos + bytes.size() > reply_bytes_max_) return no_reply("an answer that is too large");
  if (redisReaderFeed(reader_.get(), bytes.data(), bytes.size()) != REDIS_OK) return no_reply("no answers of a Redis");
  return {};
}

Result<bool> RedisReplyReader::next(RedisReply& to) {
  void* read = nullptr;
  if (redisReaderGetReply(reader_.get(), &read) != REDIS_OK) return no_reply("no answers of a Redis");
  if (read == nullptr) return false;
  const std::unique_ptr<RedisReply> reply(static_cast<RedisReply*>(read));
  to = std::move(*reply);
  return true;
}

std::string redis_command(std::initializer_list<std::string_view> arguments) {
  std::vector<const char*> texts;
  std::vector<std::size_t> sizes;
  for (const std::string_view argument : arguments) {
    texts.push_back(argument.data() == nullptr ? "" : argument.data());
    sizes.push_back(argument.size());
  }
  char* formatted = nullptr;
  const int size = redisFormatCommandArgv(&formatted, static_cast<int>(texts.size()), texts.data(), sizes.data());
  if (size < 0) throw std::bad_alloc();
  const std::unique_ptr<char, void (*)(char*)> owned(formatted, redisFreeCommand);
  return {formatted, static_cast<std::size_t>(size)};
}

}  // namespace stele::net
