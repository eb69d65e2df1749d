#include "net/redis/redis_reply_reader.h"

#include <hiredis/hiredis.h>

#include <new>
#include <utility>
#include <vector>

namespace stele::net {

/// Of the reply that is being read.
struct RedisReplyBounds {
  std::size_t bytes_max = 0;
  std::size_t items_max = 0;
  std::size_t bytes = 0;  ///< of texts
  std::size_t items = 0;
  bool exceeded = false;
};

namespace {

// Called by C, which no exception may pass. Null is taken for a lack of memory there: the reader goes no further.

RedisReplyBounds& bounds_of(const redisReadTask* task) { return *static_cast<RedisReplyBounds*>(task->privdata); }

/// Into the list that it is an item of, which has room for it, or by itself.
RedisReply* place(const redisReadTask* task, RedisReply reply) {
  if (task->parent == nullptr) return new RedisReply(std::move(reply));
  return &static_cast<RedisReply*>(task->parent->obj)->items.emplace_back(std::move(reply));
}

RedisReply* make_reply(const redisReadTask* task, RedisReply::Kind kind, std::int64_t integer,
                       std::string_view text) noexcept {
  try {
    return place(task, {kind, integer, std::string(text)});
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

void* text_reply(const redisReadTask* task, char* bytes, std::size_t size) {
  RedisReplyBounds& bounds = bounds_of(task);
  if (size > bounds.bytes_max - bounds.bytes) {
    bounds.exceeded = true;
    return nullptr;
  }
  bounds.bytes += size;
  return make_reply(task, task->type == REDIS_REPLY_ERROR ? RedisReply::Kind::Error : RedisReply::Kind::Text, 0,
                    {bytes, size});
}

/// The memory that it takes for so many items as are announced is bounded too.
void* list_reply(const redisReadTask* task, int size) {
  RedisReplyBounds& bounds = bounds_of(task);
  std::size_t depth = 1;
  for (const redisReadTask* outer = task->parent; outer != nullptr; outer = outer->parent) ++depth;
  const auto items = static_cast<std::size_t>(size);
  if (bounds.items_max == 0) return nullptr;
  if (depth > RedisReplyReader::list_depth_max || items > bounds.items_max - bounds.items) {
    bounds.exceeded = true;
    return nullptr;
  }
  bounds.items += items;
  RedisReply* const list = make_reply(task, RedisReply::Kind::List, 0, {});
  if (list == nullptr) return nullptr;
  try {
    list->items.reserve(items);
    return list;
  } catch (const std::bad_alloc&) {
    if (task->parent == nullptr) delete list;
    return nullptr;
  }
}

void* integer_reply(const redisReadTask* task, long long integer) {
  return make_reply(task, RedisReply::Kind::Integer, integer, {});
}

void* nil_reply(const redisReadTask* task) { return make_reply(task, RedisReply::Kind::Nil, 0, {}); }

void free_reply(void* reply) { delete static_cast<RedisReply*>(reply); }

redisReplyObjectFunctions* reply_functions() {
  static redisReplyObjectFunctions functions{text_reply, list_reply, integer_reply, nil_reply, free_reply};
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

RedisReplyReader::RedisReplyReader(std::size_t reply_bytes_max, std::size_t list_items_max)
    : reply_bytes_max_(reply_bytes_max),
      bounds_(std::make_unique<RedisReplyBounds>(RedisReplyBounds{reply_bytes_max, list_items_max})),
      reader_(redisReaderCreateWithFunctions(reply_functions())) {
  if (!reader_) throw std::bad_alloc();
  reader_->privdata = bounds_.get();
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
  if (redisReaderGetReply(reader_.get(), &read) != REDIS_OK) {
    return no_reply(bounds_->exceeded ? "an answer that is too large" : "no answers of a Redis");
  }
  if (read == nullptr) return false;
  bounds_->bytes = bounds_->items = 0;
  const std::unique_ptr<RedisReply> reply(static_cast<RedisReply*>(read));
  to = std::move(*reply);
  return true;
}

std::string redis_command(std::span<const std::string_view> arguments) {
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

std::string redis_command(std::initializer_list<std::string_view> arguments) {
  return redis_command(std::span(arguments.begin(), arguments.size()));
}

}  // namespace stele::net
