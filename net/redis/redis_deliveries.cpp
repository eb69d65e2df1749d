#include "net/redis/redis_deliveries.h"

#include <boost/asio/post.hpp>
#include <charconv>
#include <deque>
#include <functional>
#include <initializer_list>
#include <mutex>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace stele::net {

namespace {

using api::RedisAnswer;
using RedisOutcome = RedisAnswer::Outcome;

constexpr std::size_t kCommandsAround = 2;  // MULTI and EXEC
constexpr std::string_view kLastId = "last-generated-id";

std::optional<api::RedisEntryId> parse_entry_id(std::string_view text) {
  api::RedisEntryId id;
  const char* const end = text.data() + text.size();
  const auto time = std::from_chars(text.data(), end, id.time);
  if (time.ec != std::errc{} || time.ptr == end || *time.ptr != '-') return std::nullopt;
  const auto count = std::from_chars(time.ptr + 1, end, id.count);
  if (count.ec != std::errc{} || count.ptr != end) return std::nullopt;
  return id;
}

std::string id_text(const api::RedisEntryId& id) { return std::to_string(id.time) + "-" + std::to_string(id.count); }

/// An id and a list of fields and values, one after the other.
std::optional<api::RedisEntry> parse_entry(const RedisReply& reply) {
  if (reply.items.size() != 2 || reply.items[1].items.size() % 2 != 0) return std::nullopt;
  const auto id = parse_entry_id(reply.items[0].text);
  if (!id) return std::nullopt;
  api::RedisEntry entry{*id, {}};
  const std::vector<RedisReply>& fields = reply.items[1].items;
  for (std::size_t i = 0; i < fields.size(); i += 2) entry.fields.emplace_back(fields[i].text, fields[i + 1].text);
  return entry;
}

/// What XRANGE says. False: these are no entries, or there is no memory for them.
bool parse_entries(const RedisReply& reply, std::vector<api::RedisEntry>& to) try {
  for (const RedisReply& item : reply.items) {
    auto entry = parse_entry(item);
    if (!entry) return false;
    to.push_back(*std::move(entry));
  }
  return reply.kind == RedisReply::Kind::List;
} catch (const std::bad_alloc&) {
  return false;
}

/// What XINFO STREAM says, names and values, one after the other. False: nothing of its end.
bool parse_stream_end(const RedisReply& reply, api::RedisEntryId& to) {
  for (std::size_t i = 0; i + 1 < reply.items.size(); i += 2) {
    if (reply.items[i].text != kLastId) continue;
    const auto id = parse_entry_id(reply.items[i + 1].text);
    if (id) to = *id;
    return id.has_value();
  }
  return false;
}

/// It has no code of its own. The second one is said of a stream that has got to the largest id there is.
bool is_repeat(const RedisReply& reply) {
  return reply.text.find("equal or smaller") != std::string::npos ||
         reply.text.find("last possible ID") != std::string::npos;
}

/// It has no code of its own. Of a protocol error Redis hangs up, and would do so again.
bool is_too_large(const RedisReply& reply) {
  return reply.error_code() == "ERR" &&
         (reply.text.find("too large") != std::string::npos || reply.text.starts_with("ERR Protocol error"));
}

/// EXEC itself is refused with a code of its own, and the true one behind it.
RedisReply cause_of(const RedisReply& error) {
  constexpr std::string_view kBecause = "because of: ";
  const std::size_t because = error.text.find(kBecause);
  if (error.error_code() != "EXECABORT" || because == std::string::npos) return error;
  return {RedisReply::Kind::Error, 0, error.text.substr(because + kBecause.size())};
}

// What is said without memory is that nobody knows: it comes again.

RedisAnswer refusal(const RedisReply& reply) noexcept {
  try {
    const RedisReply error = cause_of(reply);
    if (is_too_large(error)) return {RedisOutcome::TooLarge, {}, "it is too large for this Redis"};
    const std::string_view code = error.error_code();
    return {RedisOutcome::Refused, std::string(code), "Redis refuses it: " + std::string(code)};
  } catch (const std::bad_alloc&) {
    return {RedisOutcome::Unanswered, {}, {}};
  }
}

/// Commands that are carried out together.
class Transaction {
 public:
  Transaction() { add({"MULTI"}); }
  void add(std::initializer_list<std::string_view> arguments) { add(std::span(arguments.begin(), arguments.size())); }
  void add(std::span<const std::string_view> arguments) {
    bytes_ += redis_command(arguments);
    ++commands_;
  }
  void end() { add({"EXEC"}); }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }
  [[nodiscard]] std::size_t commands() const { return commands_; }

 private:
  std::string bytes_;
  std::size_t commands_ = 0;
};

}  // namespace

struct RedisDeliveries::Core : std::enable_shared_from_this<Core> {
  /// Hears how it ended, and, if it was carried out, what each of its commands gave.
  using Heard = std::function<void(RedisAnswer, const std::vector<RedisReply>&)>;
  using Added = std::function<void(api::RedisAddition)>;

  /// Entries that were refused since the stream is beyond their ids.
  struct Repeats {
    std::string key;
    std::vector<std::string> ids;  ///< first of all that were to be added
    std::size_t count = 0;
  };

  /// A transaction on its way, and what was said of it so far.
  struct UnderWay {
    const std::size_t commands;
    Heard heard;
    std::size_t answers = 0;
    std::optional<RedisAnswer> refused{};
  };

  Core(boost::asio::io_context& io, RedisClient& to) : context(io), client(to) {}

  void send(Transaction transaction, Heard heard);
  void hear(UnderWay& transaction, const RedisReply* reply);
  void ask_about(const Repeats& repeats, const Added& done);
  /// Why nothing came of what was sent.
  [[nodiscard]] RedisAnswer lost() const noexcept;
  void later(std::function<void()> call);
  void call_all();

  boost::asio::io_context& context;
  RedisClient& client;
  bool ended = false;  // of the context's thread, and of the owner's once that is at rest
  std::mutex mutex;
  std::deque<std::function<void()>> calls;
};

void RedisDeliveries::Core::send(Transaction transaction, Heard heard) {
  transaction.end();
  const auto under_way = std::make_shared<UnderWay>(UnderWay{transaction.commands(), std::move(heard)});
  const auto refuse = [&](RedisOutcome outcome, std::string detail) {
    later([under_way, answer = RedisAnswer{outcome, {}, std::move(detail)}]() mutable {
      under_way->heard(std::move(answer), {});
    });
  };
  const RedisClientOptions& limits = client.options();
  if (transaction.bytes().size() > limits.bytes_max || transaction.commands() > limits.commands_max) {
    return refuse(RedisOutcome::TooLarge, "it is larger than what is ever sent to a Redis");
  }
  const bool sent =
      client.send(transaction.bytes(), transaction.commands(),
                  [self = shared_from_this(), under_way](const RedisReply* reply) { self->hear(*under_way, reply); });
  if (sent) return;
  const RedisClientState state = client.state();
  if (state.connected) return refuse(RedisOutcome::Busy, "too much is under way to Redis");
  refuse(RedisOutcome::Away,
         state.last_error.empty() ? "there is no connection to Redis yet" : "Redis: " + state.last_error);
}

void RedisDeliveries::Core::hear(UnderWay& transaction, const RedisReply* reply) {
  const bool is_refusal = reply != nullptr && reply->kind == RedisReply::Kind::Error;
  if (is_refusal && !transaction.refused) transaction.refused = refusal(*reply);
  if (reply != nullptr && ++transaction.answers < transaction.commands) return;
  // What was refused before its end was never carried out, whether an answer to its end came or not. Where MULTI itself
  // is refused the others may have been, and are found by the next attempt.
  if (transaction.refused) return transaction.heard(*std::move(transaction.refused), {});
  if (reply == nullptr) return transaction.heard(lost(), {});
  const bool is_answer =
      reply->kind == RedisReply::Kind::List && reply->items.size() == transaction.commands - kCommandsAround;
  if (!is_answer) return transaction.heard({RedisOutcome::Unanswered, {}, {}}, {});
  transaction.heard({RedisOutcome::CarriedOut, {}, {}}, reply->items);
}

RedisAnswer RedisDeliveries::Core::lost() const noexcept {
  try {
    if (ended) return {RedisOutcome::Cancelled, {}, "the server ends"};
    return {RedisOutcome::Unanswered, {}, "Redis: " + client.state().last_error};
  } catch (const std::bad_alloc&) {
    return {RedisOutcome::Unanswered, {}, {}};
  }
}

void RedisDeliveries::Core::ask_about(const Repeats& repeats, const Added& done) {
  bool sent = false;
  try {
    const std::string count = std::to_string(repeats.count);
    auto addition = std::make_shared<api::RedisAddition>();
    addition->repeats = repeats.count;
    addition->answer.outcome = RedisOutcome::CarriedOut;
    sent = client.send(
        redis_command({"XRANGE", repeats.key, repeats.ids.front(), repeats.ids[repeats.count - 1], "COUNT", count}) +
            redis_command({"XINFO", "STREAM", repeats.key}),
        2, [self = shared_from_this(), addition, is_first = true, done](const RedisReply* reply) mutable {
          const bool is_last = reply == nullptr || !std::exchange(is_first, false);
          RedisAnswer& answer = addition->answer;
          if (answer.outcome == RedisOutcome::CarriedOut) {
            if (reply == nullptr) {
              answer = self->lost();
            } else if (reply->kind == RedisReply::Kind::Error) {
              answer = refusal(*reply);
            } else if (!(is_last ? parse_stream_end(*reply, addition->stream_end)
                                 : parse_entries(*reply, addition->found))) {
              answer = {RedisOutcome::Unanswered, {}, {}};
            }
          }
          if (is_last) done(std::move(*addition));
        });
  } catch (const std::bad_alloc&) {
    sent = false;
  }
  if (!sent) done({{RedisOutcome::Unanswered, {}, {}}});
}

void RedisDeliveries::Core::later(std::function<void()> call) {
  const std::lock_guard lock(mutex);
  // First, for it does no harm without the rest.
  boost::asio::post(context, [self = shared_from_this()] { self->call_all(); });
  calls.push_back(std::move(call));
}

void RedisDeliveries::Core::call_all() {
  std::deque<std::function<void()>> due;
  {
    const std::lock_guard lock(mutex);
    due.swap(calls);
  }
  for (const std::function<void()>& call : due) call();
}

RedisClientOptions RedisDeliveries::client_options() {
  RedisClientOptions options;
  options.purpose = "deliveries";
  options.answer_time = std::chrono::milliseconds{10'000};
  options.bytes_max = 32U << 20;
  options.reply_bytes_max = 64U << 20;  // two entries, and what else is said of a stream
  options.list_items_max = 32U << 10;
  return options;
}

RedisDeliveries::RedisDeliveries(boost::asio::io_context& context, RedisClient& client)
    : core_(std::make_shared<Core>(context, client)) {}

RedisDeliveries::~RedisDeliveries() {
  core_->ended = true;
  core_->call_all();
}

void RedisDeliveries::add(std::string_view key, const std::vector<api::RedisEntry>& entries,
                          std::function<void(api::RedisAddition)> done) {
  Transaction transaction;
  std::vector<std::string_view> arguments;
  std::vector<std::string> ids;
  ids.reserve(entries.size());
  for (const api::RedisEntry& entry : entries) {
    ids.push_back(id_text(entry.id));
    arguments.assign({"XADD", key, ids.back()});
    for (const auto& [name, value] : entry.fields) arguments.insert(arguments.end(), {name, value});
    transaction.add(arguments);
  }
  core_->send(std::move(transaction),
              [core = core_, key = std::string(key), ids = std::move(ids), done = std::move(done)](
                  RedisAnswer answer, const std::vector<RedisReply>& replies) mutable {
                api::RedisAddition addition{std::move(answer)};
                for (const RedisReply& reply : replies) {
                  if (reply.kind != RedisReply::Kind::Error) continue;
                  if (!is_repeat(reply)) return done({refusal(reply)});
                  ++addition.repeats;
                }
                if (addition.repeats == 0) return done(std::move(addition));
                // Ids ascend, so that these are the first ones.
                core->ask_about({std::move(key), std::move(ids), addition.repeats}, done);
              });
}

void RedisDeliveries::publish(std::string_view channel, const std::vector<std::string>& messages,
                              std::function<void(api::RedisAnswer)> done) {
  Transaction transaction;
  for (const std::string& message : messages) transaction.add({"PUBLISH", channel, message});
  core_->send(std::move(transaction),
              [done = std::move(done)](RedisAnswer answer, const std::vector<RedisReply>& replies) {
                for (const RedisReply& reply : replies) {
                  if (reply.kind == RedisReply::Kind::Error) return done(refusal(reply));
                }
                done(std::move(answer));
              });
}

}  // namespace stele::net
