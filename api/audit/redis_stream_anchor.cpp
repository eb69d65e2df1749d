#include "api/audit/redis_stream_anchor.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>

namespace stele::api {

namespace {

constexpr std::string_view kNoteField = "note";

Error redis_anchor_error(ErrorKind kind, std::string message) {
  return Error{.kind = kind, .message = std::move(message)};
}

bool holds(const RedisAddition& addition, const RedisEntryId& id, const std::string& note) {
  return std::any_of(addition.found.begin(), addition.found.end(), [&](const RedisEntry& entry) {
    return entry.id == id && std::find(entry.fields.begin(), entry.fields.end(),
                                       std::pair(std::string(kNoteField), note)) != entry.fields.end();
  });
}

}  // namespace

struct RedisStreamAnchor::Exchange {
  std::mutex mutex;
  std::condition_variable changed;
  std::uint64_t number = 0;  // of the one that is waited for
  std::optional<RedisAddition> answer;
  bool cancelled = false;
};

RedisStreamAnchor::RedisStreamAnchor(RedisSender& sender, std::string key)
    : sender_(sender), key_(std::move(key)), exchange_(std::make_shared<Exchange>()) {}

RedisStreamAnchor::~RedisStreamAnchor() = default;

void RedisStreamAnchor::cancel() {
  const std::lock_guard lock(exchange_->mutex);
  exchange_->cancelled = true;
  exchange_->changed.notify_all();
}

Status RedisStreamAnchor::write(const AnchoredNote& note) {
  const std::string text = format_note(note.note);
  const RedisEntry entry{.id = {note.checkpoint.size, note.note.signatures.size()},
                         .fields = {{"origin", note.checkpoint.origin},
                                    {"size", std::to_string(note.checkpoint.size)},
                                    {std::string(kNoteField), text}}};
  std::unique_lock lock(exchange_->mutex);
  exchange_->answer.reset();
  const std::uint64_t number = ++exchange_->number;
  lock.unlock();
  sender_.add(key_, {entry}, [exchange = exchange_, number](RedisAddition addition) {
    const std::lock_guard answering(exchange->mutex);
    if (exchange->number != number) return;
    exchange->answer = std::move(addition);
    exchange->changed.notify_all();
  });
  lock.lock();
  exchange_->changed.wait(lock, [&] { return exchange_->cancelled || exchange_->answer; });
  if (!exchange_->answer) return redis_anchor_error(ErrorKind::Closed, "the server stops");
  const RedisAddition addition = *std::exchange(exchange_->answer, std::nullopt);
  lock.unlock();
  if (addition.answer.outcome != RedisAnswer::Outcome::CarriedOut) {
    return redis_anchor_error(ErrorKind::Busy, addition.answer.detail);
  }
  // It may have been carried out before, and the answer lost.
  if (addition.repeats == 0 || holds(addition, entry.id, text)) return {};
  return redis_anchor_error(ErrorKind::InvalidArgument,
                            "the stream has got to " + std::to_string(addition.stream_end.time) +
                                " and does not hold the checkpoint of size " + std::to_string(note.checkpoint.size) +
                                ": the log was cut, or another one is anchored there");
}

}  // namespace stele::api
