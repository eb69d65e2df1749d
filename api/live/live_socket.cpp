#include "api/live/live_socket.h"

#include <simdjson.h>

#include <limits>
#include <utility>

#include "api/json/json_writer.h"

namespace stele::api {

namespace {

constexpr std::size_t kLiveSocketPieceBytes = 64U << 10;
constexpr std::uint64_t kCreditMax = std::numeric_limits<std::int64_t>::max();

}  // namespace

std::optional<std::uint64_t> parse_credit(std::string_view text) {
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  if (parser.parse(simdjson::padded_string(text)).get(object) != simdjson::SUCCESS || object.size() != 2) {
    return std::nullopt;
  }
  std::string_view type;
  std::uint64_t events = 0;
  if (object["type"].get(type) != simdjson::SUCCESS || type != "credit" ||
      object["events"].get(events) != simdjson::SUCCESS || events == 0 || events > kCreditMax) {
    return std::nullopt;
  }
  return events;
}

LiveSocket::LiveSocket(std::unique_ptr<LiveFeed> feed, std::chrono::milliseconds checkpoint_interval)
    : feed_(std::move(feed)), checkpoint_interval_(checkpoint_interval), said_(std::chrono::steady_clock::now()) {}

Result<LiveSocket::Step> LiveSocket::next(Occasion occasion, Sink& to) {
  if (ended_) return Step::Wait;
  if (occasion == Occasion::ShuttingDown) {
    give_checkpoint(to);
    return Step::Wait;
  }
  if (!feed_->has_credentials()) {
    give_checkpoint(to);
    fail(to, 1008, "invalid-credentials", "The credentials that the stream began with are not good any more.");
    return Step::Wait;
  }
  STELE_ASSIGN(const Step step, give_events(to));
  const auto now = std::chrono::steady_clock::now();
  if (to.bytes() == 0 && (occasion == Occasion::Quiet || now - said_ >= checkpoint_interval_)) give_checkpoint(to);
  if (to.bytes() > 0) said_ = now;
  return step;
}

Result<LiveSocket::Step> LiveSocket::give_events(Sink& to) {
  LiveEvent event;
  while (to.bytes() < kLiveSocketPieceBytes) {
    if (!has_credit()) return Step::Wait;
    const Result<LiveFeed::Step> step = feed_->next(event);
    if (!step) {
      fail(to, 1011, "storage-error", "Stored bytes that the stream needs cannot be read.");
      return Step::Wait;
    }
    switch (*step) {
      case LiveFeed::Step::Event:
        text_.assign(R"({"type":"event","event":)");
        event.append_json(text_, feed_->notes());
        text_ += '}';
        to.message(text_);
        if (credit_) --*credit_;
        break;
      case LiveFeed::Step::CaughtUp:
        (void)feed_->take_checkpoint();
        give_position(to, "caughtUp");
        break;
      case LiveFeed::Step::Wait:
        return Step::Wait;
      case LiveFeed::Step::Paused:
        return Step::More;
      case LiveFeed::Step::TooSlow:
        give_checkpoint(to);
        fail(to, 1013, "slow-reader", "The reader takes less than what comes. Come back behind the position.");
        return Step::Wait;
      case LiveFeed::Step::Over:
        give_checkpoint(to);
        ended_ = true;
        to.close({1001, "the server ends"});
        return Step::Wait;
    }
  }
  return Step::More;
}

void LiveSocket::take(std::string_view text, Sink& to) {
  if (ended_) return;
  const auto events = parse_credit(text);
  if (!events) {
    return fail(to, 1008, "not-understood", "The only message is {\"type\":\"credit\",\"events\":n}, with n from 1.");
  }
  feed_->read_at_leisure();
  const std::uint64_t before = credit_.value_or(0);
  credit_ = *events > kCreditMax - before ? kCreditMax : before + *events;
}

void LiveSocket::give_position(Sink& to, std::string_view type) {
  text_.clear();
  JsonWriter(text_)
      .begin_object()
      .key("type")
      .plain(type)
      .key("position")
      .number(feed_->position().value())
      .end_object();
  to.message(text_);
}

void LiveSocket::give_checkpoint(Sink& to) {
  if (feed_->take_checkpoint()) give_position(to, "checkpoint");
}

void LiveSocket::fail(Sink& to, std::uint16_t code, std::string_view error, std::string_view detail) {
  ended_ = true;
  text_.clear();
  JsonWriter json(text_);
  json.begin_object().key("type").plain("error").key("error").plain(error).key("detail").string(detail);
  json.key("position").number(feed_->position().value()).end_object();
  to.message(text_);
  to.close({code, error});
}

}  // namespace stele::api
