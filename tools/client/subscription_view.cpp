#include "tools/client/subscription_view.h"

#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "api/json/json_string.h"
#include "tools/cli/printable.h"
#include "tools/cli/quantity.h"
#include "tools/client/json_members.h"

namespace stele::tools {

namespace {

constexpr std::size_t kCellCharactersMax = 48;

/// Strings of an array, with commas between them.
std::string texts_of(const JsonMembers& object, std::string_view name) {
  std::string all;
  for (const std::string_view element : object.list(name)) {
    all += all.empty() ? "" : ",";
    api::append_decoded_string(all, element);
  }
  return all;
}

std::string events_of(const JsonMembers& subscription) {
  std::string what = texts_of(subscription, "eventTypes");
  const auto add = [&](const char* label, std::string_view name) {
    const std::string texts = texts_of(subscription, name);
    if (!texts.empty()) what += (what.empty() ? "" : "; ") + std::string(label) + texts;
  };
  add("of type ", "aggregateTypes");
  add("of ", "aggregateIds");
  add("tagged ", "tags");
  return what.empty() ? "all" : what;
}

std::string target_of(const JsonMembers& subscription) {
  const JsonMembers delivery(subscription.raw("delivery").value_or("{}"));
  std::string target = delivery.text("type");
  for (const char* const name : {"url", "key", "channel"}) {
    if (const std::string text = delivery.text(name); !text.empty()) target += " " + text;
  }
  return target;
}

std::string lag_of(const JsonMembers& subscription) {
  const std::string events = subscription.text("lag", "events");
  const std::string seconds = subscription.text("lag", "seconds");
  if (events.empty()) return {};
  return events + (events == "0" || seconds.empty() ? "" : ", " + seconds + "s");
}

/// Class, status and words of a failure.
std::string failure_of(const JsonMembers& error) {
  std::string text = error.text("error");
  if (const std::string status = error.text("status"); !status.empty() && status != "0") text += " " + status;
  if (const std::string detail = error.text("detail"); !detail.empty()) text += ": " + detail;
  return text;
}

std::string error_of(const JsonMembers& subscription) {
  return failure_of(JsonMembers(subscription.raw("lastError").value_or("{}")));
}

std::string outcome_of(const JsonMembers& attempt) {
  if (attempt.text("delivered") != "true") return failure_of(attempt);
  const std::string status = attempt.text("status");
  return "delivered" + (status.empty() ? "" : " " + status);
}

std::string millis_of(const JsonMembers& object, std::string_view name, std::string_view inner) {
  const std::string text = object.text(name, inner);
  std::int64_t millis = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), millis);
  if (error != std::errc{} || end != text.data() + text.size()) return text;
  return format_duration(std::chrono::milliseconds{millis});
}

}  // namespace

std::vector<std::string> subscription_heading() {
  return {"SUBSCRIPTION", "STATE", "EVENTS", "TO", "LAG", "IN FLIGHT", "HELD", "DEAD", "LAST ERROR"};
}

std::vector<std::string> subscription_row(std::string_view subscription_json) {
  const JsonMembers subscription(subscription_json);
  return {subscription.text("subscriptionId"),
          subscription.text("state"),
          cut(events_of(subscription), kCellCharactersMax),
          cut(target_of(subscription), kCellCharactersMax),
          lag_of(subscription),
          subscription.text("inFlight"),
          subscription.text("heldBack"),
          subscription.text("deadLetters"),
          error_of(subscription)};
}

std::vector<std::vector<std::string>> subscription_details(std::string_view subscription_json) {
  const JsonMembers subscription(subscription_json);
  std::vector<std::vector<std::string>> lines;
  const auto add = [&](const char* name, const std::string& text) {
    if (!text.empty()) lines.push_back({name, text});
  };
  const auto in_brackets = [](const std::string& text) { return text.empty() ? "" : " (" + text + ")"; };
  add("subscription", subscription.text("subscriptionId"));
  add("state", subscription.text("state") + in_brackets(subscription.text("reason")));
  add("since", subscription.text("since"));
  add("created", subscription.text("created"));
  add("owner", subscription.text("owner", "name"));
  add("events", events_of(subscription));
  add("to", target_of(subscription));
  add("watermark",
      subscription.text("watermark", "position") + in_brackets(subscription.text("watermark", "timestamp")));
  add("lag", lag_of(subscription));
  add("in flight", subscription.text("inFlight"));
  add("held back", subscription.text("heldBack"));
  add("dead letters", subscription.text("deadLetters"));
  add("attempts", subscription.text("retry", "maxAttempts") + ", after " +
                      millis_of(subscription, "retry", "initialDelayMs") + " to " +
                      millis_of(subscription, "retry", "maxDelayMs"));
  add("on dead letter", subscription.text("onDeadLetter"));
  add("last error", error_of(subscription) + in_brackets(subscription.text("lastError", "timestamp")));
  return lines;
}

std::vector<std::string> attempt_heading() {
  return {"TIME", "BATCH", "POSITIONS", "ATTEMPT", "MS", "OUTCOME", "ANSWER"};
}

std::vector<std::string> attempt_row(std::string_view attempt_json) {
  const JsonMembers attempt(attempt_json);
  const auto positions = attempt.list("positions");
  std::string places;
  if (!positions.empty()) places = positions.front();
  if (positions.size() > 1) places += " .. " + std::string(positions.back());
  return {attempt.text("timestamp"),
          attempt.text("batchId"),
          places,
          attempt.text("attempt"),
          attempt.text("durationMs"),
          cut(outcome_of(attempt), kCellCharactersMax),
          cut(attempt.text("answer"), kCellCharactersMax)};
}

std::vector<std::string> fate_heading() { return {"SUBSCRIPTION", "STATE", "EVENT", "ATTEMPTS", "LAST ATTEMPT"}; }

std::vector<std::string> fate_row(std::string_view fate_json) {
  const JsonMembers fate(fate_json);
  const auto attempts = fate.list("attempts");
  std::string last;
  if (!attempts.empty()) {
    const JsonMembers attempt(attempts.back());
    last = attempt.text("timestamp") + " " + outcome_of(attempt);
  }
  return {fate.text("subscriptionId"), fate.text("state"), fate.text("fate"), std::to_string(attempts.size()), last};
}

}  // namespace stele::tools
