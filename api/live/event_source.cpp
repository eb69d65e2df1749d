#include "api/live/event_source.h"

#include <utility>

#include "api/json/json_writer.h"

namespace stele::api {

namespace {

constexpr std::size_t kEventSourcePieceBytes = 64U << 10;

void append_id(std::string& to, Position position) {
  to += "id: ";
  append_number(to, position.value());
  to += '\n';
}

}  // namespace

EventSource::EventSource(std::unique_ptr<LiveFeed> feed, std::chrono::milliseconds checkpoint_interval)
    : feed_(std::move(feed)), checkpoint_interval_(checkpoint_interval), said_(std::chrono::steady_clock::now()) {}

Result<PushedBody::Step> EventSource::next(Occasion occasion, std::string& to) {
  if (occasion == Occasion::ShuttingDown || !feed_->has_credentials()) {
    append_checkpoint(to);
    return Step::End;
  }
  STELE_ASSIGN(const Step step, append_events(to));
  const auto now = std::chrono::steady_clock::now();
  // A long search for the next match is no reason to say nothing.
  if (to.empty() && (occasion == Occasion::Quiet || now - said_ >= checkpoint_interval_)) {
    append_checkpoint(to);
    if (to.empty()) to += ":\n\n";
  }
  if (!to.empty()) said_ = now;
  return step;
}

Result<PushedBody::Step> EventSource::append_events(std::string& to) {
  LiveEvent event;
  while (to.size() < kEventSourcePieceBytes) {
    const Result<LiveFeed::Step> step = feed_->next(event);
    if (!step) {
      if (to.empty()) return step.error();
      return Step::More;  // what there is first; then it fails again
    }
    switch (*step) {
      case LiveFeed::Step::Event:
        append_id(to, event.record->header().position);
        to += "data: ";
        event.append_json(to, feed_->notes());
        to += "\n\n";
        break;
      case LiveFeed::Step::CaughtUp:
        // With its id, so that a client that began with `now` and has seen nothing yet comes back to the same place.
        (void)feed_->take_checkpoint();
        append_id(to, feed_->position());
        to += "event: caught-up\ndata: {\"position\":";
        append_number(to, feed_->position().value());
        to += "}\n\n";
        break;
      case LiveFeed::Step::Wait:
        return Step::Wait;
      case LiveFeed::Step::Paused:
        return Step::More;
      case LiveFeed::Step::TooSlow:
      case LiveFeed::Step::Over:
        append_checkpoint(to);
        return Step::End;
    }
  }
  return Step::More;
}

void EventSource::append_checkpoint(std::string& to) {
  const auto checkpoint = feed_->take_checkpoint();
  if (!checkpoint) return;
  append_id(to, *checkpoint);
  to += '\n';
}

}  // namespace stele::api
