#include "tools/commands/subscribe.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/json/json_writer.h"
#include "tools/cli/columns.h"
#include "tools/cli/command_line.h"
#include "tools/cli/output.h"
#include "tools/client/answers.h"
#include "tools/client/json_members.h"
#include "tools/client/secret_output.h"
#include "tools/client/server_flags.h"
#include "tools/client/subscription_requests.h"

namespace stele::tools {

namespace {

constexpr const char* kSubscribe = "stele subscribe";

struct SubscribeFlags {
  ServerFlags server;
  std::vector<std::string> event_types, aggregate_types, aggregates, tags;
  std::string webhook, redis_stream, redis_channel;
  bool pull = false;
  std::string from, schema_version, on_dead_letter, replaces, definition_file, secret_file;
  std::uint64_t replay_until = 0, batch = 0, per_second = 0, in_flight = 0, attempts = 0;
  std::chrono::microseconds first_delay{0}, longest_delay{0}, timeout{0};
  bool json = false;

  void declare(CommandLine& app) {
    declare_events(app);
    declare_delivery(app);
    declare_retries(app);
    app.add_text(
           "--definition", definition_file,
           "The whole request as JSON, in a file, instead of all flags above: for custom headers and certificates,\n"
           "which are not for a command line")
        .type("FILE")
        .group("Subscription");
    app.add_text("--replaces", replaces, "The subscription that this one takes the place of, and goes on from")
        .type("ID")
        .group("Subscription");
    app.add_text("--secret-file", secret_file, "Write the secret of a webhook into this new file, and do not print it")
        .type("FILE")
        .group("Output");
    app.add_switch("--json", json, "The answer as the server gives it").group("Output");
    server.declare(app);
  }

  /// Why they do not go together; empty if they do.
  [[nodiscard]] std::string complaint() const {
    const auto ways = static_cast<int>(!webhook.empty()) + static_cast<int>(pull) +
                      static_cast<int>(!redis_stream.empty()) + static_cast<int>(!redis_channel.empty());
    if (json && !secret_file.empty()) return "--json and --secret-file exclude each other: the answer has the secret";
    if (!definition_file.empty()) {
      const bool alone = body() == SubscribeFlags().body();
      return alone ? "" : "--definition is the whole request: no other flag may say which events, where to and how";
    }
    if (ways != 1) return "say where events go to: --webhook URL, --pull, --redis-stream KEY or --redis-channel NAME";
    return {};
  }

  [[nodiscard]] std::string body() const {
    std::string text;
    api::JsonWriter writer(text);
    writer.begin_object();
    write_texts(writer, "eventTypes", event_types);
    write_texts(writer, "aggregateTypes", aggregate_types);
    write_texts(writer, "aggregateIds", aggregates);
    write_texts(writer, "tags", tags);
    if (!from.empty()) write_number_or_text(writer.key("from"), from);
    if (!schema_version.empty()) write_number_or_text(writer.key("schemaVersion"), schema_version);
    if (replay_until != 0) writer.key("replayUntil").number(replay_until);
    if (!replaces.empty()) writer.key("replaces").string(replaces);
    write_delivery(writer.key("delivery"));
    if (attempts != 0 || first_delay.count() != 0 || longest_delay.count() != 0) write_retry(writer.key("retry"));
    if (!on_dead_letter.empty()) writer.key("onDeadLetter").string(on_dead_letter);
    writer.end_object();
    return text;
  }

 private:
  void declare_events(CommandLine& app) {
    constexpr const char* kGroup = "Events (all must match; none given: all events)";
    app.add_texts("--type", event_types, "TEXT", "eventType; may be repeated: any of them").group(kGroup);
    app.add_texts("--aggregate-type", aggregate_types, "TEXT", "aggregateType; may be repeated: any of them")
        .group(kGroup);
    app.add_texts("--aggregate", aggregates, "ID", "aggregateId; may be repeated: any of them").group(kGroup);
    app.add_texts("--tag", tags, "TEXT", "tag; may be repeated: all of them").group(kGroup);
    app.add_text("--from", from,
                 "now (the default), beginning, a position (everything behind it) or a time (RFC 3339; everything\n"
                 "stored since)")
        .type("WHERE")
        .group(kGroup);
    app.add_number("--replay-until", replay_until, 0, kPositionMaxGiven,
                   "Events up to this position are marked as a replay; 0: none are")
        .group(kGroup);
    app.add_text("--schema-version", schema_version,
                 "Deliver data in this version of its schema, or \"stored\"; default: the newest")
        .type("V")
        .group(kGroup);
  }

  void declare_delivery(CommandLine& app) {
    constexpr const char* kGroup = "Delivery (one of the first four)";
    app.add_text("--webhook", webhook, "POST events to this URL, signed (Standard Webhooks)").type("URL").group(kGroup);
    app.add_switch("--pull", pull, "Consumers fetch events themselves: 'stele pull'").group(kGroup);
    app.add_text("--redis-stream", redis_stream, "Add events to this stream of the server's Redis")
        .type("KEY")
        .group(kGroup);
    app.add_text("--redis-channel", redis_channel, "Publish events on this channel of the server's Redis")
        .type("NAME")
        .group(kGroup);
    app.add_number("--batch", batch, 0, 10'000, "So many events in a delivery at most; 0: the server's default")
        .group(kGroup);
    app.add_number("--max-per-second", per_second, 0, 1'000'000, "So many events a second at most; 0: no limit")
        .group(kGroup);
    app.add_number("--max-in-flight", in_flight, 0, 1'000,
                   "So many deliveries at a time at most; 0: the server's default")
        .group(kGroup);
    app.add_duration("--timeout", timeout, std::chrono::microseconds{0}, std::chrono::seconds{60},
                     "How long a receiver may take to answer; 0: the server's default")
        .group(kGroup);
  }

  void declare_retries(CommandLine& app) {
    constexpr const char* kGroup = "Failures";
    app.add_number("--attempts", attempts, 0, 1'000, "How often an event is tried; 0: the server's default")
        .group(kGroup);
    app.add_duration("--initial-delay", first_delay, std::chrono::microseconds{0}, std::chrono::hours{7 * 24},
                     "How long until the second attempt, about; doubled each time; 0: the server's default")
        .group(kGroup);
    app.add_duration("--max-delay", longest_delay, std::chrono::microseconds{0}, std::chrono::hours{7 * 24},
                     "The longest such time; 0: the server's default")
        .group(kGroup);
    app.add_text("--on-dead-letter", on_dead_letter,
                 "What becomes of the events behind one that is given up: skip (all flow on), park (those of its\n"
                 "aggregate wait) or stop")
        .type("CHOICE")
        .one_of({"skip", "park", "stop"})
        .group(kGroup);
  }

  static void write_texts(api::JsonWriter& writer, std::string_view name, const std::vector<std::string>& texts) {
    if (texts.empty()) return;
    writer.key(name).begin_array();
    for (const std::string& text : texts) writer.string(text);
    writer.end_array();
  }

  static void write_number(api::JsonWriter& writer, std::string_view name, std::uint64_t number) {
    if (number != 0) writer.key(name).number(number);
  }
  static void write_millis(api::JsonWriter& writer, std::string_view name, std::chrono::microseconds time) {
    write_number(writer, name, static_cast<std::uint64_t>(std::chrono::ceil<std::chrono::milliseconds>(time).count()));
  }

  void write_delivery(api::JsonWriter& writer) const {
    writer.begin_object();
    if (pull) writer.key("type").plain("pull");
    if (!webhook.empty()) writer.key("type").plain("webhook").key("url").string(webhook);
    if (!redis_stream.empty()) writer.key("type").plain("redis-stream").key("key").string(redis_stream);
    if (!redis_channel.empty()) writer.key("type").plain("redis-pubsub").key("channel").string(redis_channel);
    write_number(writer, "batchSize", batch);
    write_number(writer, "maxPerSecond", per_second);
    write_number(writer, "maxInFlight", in_flight);
    write_millis(writer, "timeoutMs", timeout);
    writer.end_object();
  }

  void write_retry(api::JsonWriter& writer) const {
    writer.begin_object();
    write_number(writer, "maxAttempts", attempts);
    write_millis(writer, "initialDelayMs", first_delay);
    write_millis(writer, "maxDelayMs", longest_delay);
    writer.end_object();
  }

  static constexpr std::uint64_t kPositionMaxGiven = 1ULL << 62;
};

int show_new(const SubscribeFlags& flags, const HttpResponse& answer, std::optional<SecretOutput>& file) {
  const JsonMembers members(answer.body);
  const std::string id = members.text("subscriptionId");
  const std::string secret = members.text("secret");
  bool is_lost = false;
  if (file && !secret.empty()) {
    if (const Status written = file->write(secret); !written) {
      say("{}: {}\n", kSubscribe, written.error().describe());
      is_lost = true;
    }
  }
  std::vector<std::vector<std::string>> lines{{"subscription", id}};
  if (!secret.empty()) lines.push_back({"secret", file ? "in " + flags.secret_file : secret});
  put(flags.json ? answer.body + "\n" : columns(lines));
  const int code = finish_output(kSubscribe);
  is_lost |= code != kExitOk && !secret.empty() && !file;
  if (is_lost) {
    say("the secret of {} is lost: 'stele subscriptions rotate-secret {}' makes another one\n", id, id);
    return kExitFailure;
  }
  if (!secret.empty() && !file) say("The secret cannot be shown again.\n");
  return code;
}

}  // namespace

int subscribe_command(int argc, const char* const* argv) {
  SubscribeFlags flags;
  CommandLine app("subscribe",
                  "Makes a subscription: events are delivered, at least once, in the order of each aggregate.");
  flags.declare(app);
  app.footer(
      "'stele listen' is a receiver to try it with, 'stele subscriptions' shows how far they are. Exit status: 0 "
      "made,\n"
      "1 refused or unreachable, 2 wrong usage.");
  if (const auto code = app.parse(argc, argv)) return *code;
  if (const std::string complaint = flags.complaint(); !complaint.empty()) return wrong_usage(kSubscribe, complaint);
  const auto client = flags.server.client();
  if (!client) return wrong_usage(kSubscribe, client.error().describe());
  std::string body;
  if (flags.definition_file.empty()) {
    body = flags.body();
  } else {
    auto file = read_file(flags.definition_file);
    if (!file) return unusable_input(kSubscribe, file.error());
    body = std::move(file).value();
  }
  std::optional<SecretOutput> secret_output;
  if (!flags.secret_file.empty()) {
    auto made = SecretOutput::create(flags.secret_file);
    if (!made) return wrong_usage(kSubscribe, made.error().describe());
    secret_output.emplace(std::move(made).value());
  }
  const auto answer = post_json(**client, "/v1/events/subscribe", body);
  if (const int code = exit_code_of(kSubscribe, answer); code != kExitOk) return code;
  return show_new(flags, *answer, secret_output);
}

}  // namespace stele::tools
