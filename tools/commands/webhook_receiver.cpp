#include "tools/commands/webhook_receiver.h"

#include <simdjson.h>

#include <cstddef>
#include <exception>
#include <string_view>
#include <utility>

#include "api/http/problem.h"
#include "api/json/json_text.h"
#include "api/json/json_writer.h"
#include "api/subscriptions/webhook_verification.h"
#include "engine/base/clock.h"
#include "engine/base/keyed_hash.h"
#include "tools/cli/output.h"
#include "tools/cli/printable.h"
#include "tools/cli/table.h"
#include "tools/client/json_members.h"

namespace stele::tools {

namespace {

constexpr std::size_t kIdsKnownMax = 10'000;
constexpr int kTaken = 204;
constexpr std::size_t kAnswerColumn = 9;

/// The columns of events, with how they were answered before them.
std::string listen_heading() { return cell("ANSWER", kAnswerColumn) + " " + table_heading() + "\n"; }

std::string listen_row(std::string_view event, int status, bool repeated) {
  const std::string answer = std::to_string(status) + (repeated ? " again" : "");
  const std::size_t columns = terminal_columns();
  return cell(answer, kAnswerColumn) + " " +
         table_row(event, columns > kAnswerColumn ? columns - kAnswerColumn - 1 : 0) + "\n";
}

struct PrintedDelivery {
  std::string_view id;
  const JsonMembers& body;
  bool verified = false;
  bool repeated = false;
  int status = 0;
};

std::string listen_line(std::string_view event, const PrintedDelivery& delivery) {
  std::string line;
  api::JsonWriter json(line);
  json.begin_object().key("webhookId").string(api::printable(delivery.id));
  json.key("subscriptionId").string(delivery.body.text("subscriptionId"));
  json.key("verified").boolean(delivery.verified).key("repeated").boolean(delivery.repeated);
  json.key("answer").number(delivery.status);
  api::append_minified(json.key("event").value(), event);
  json.end_object();
  return line + "\n";
}

/// Whether this is what subscriptions send, or looks like it.
bool is_delivery(std::string_view body) {
  simdjson::dom::parser parser;
  simdjson::dom::array events;
  return parser.parse(body.data(), body.size())["events"].get_array().get(events) == simdjson::SUCCESS;
}

}  // namespace

WebhookReceiver::WebhookReceiver(api::Scheduler& scheduler, Options options)
    : scheduler_(scheduler), options_(std::move(options)) {}

void WebhookReceiver::handle(const api::Request& request, api::Reply reply) {
  if (!scheduler_.run_on_read_pool([this, &request, reply] { reply(answer_to(request)); })) {
    reply(refuse(request, "busy", "Too many deliveries wait to be printed."));
  }
}

void WebhookReceiver::begin_shutdown() {
  const std::lock_guard lock(mutex_);
  end();
}

void WebhookReceiver::wait_for_end() {
  std::unique_lock lock(mutex_);
  ended_changed_.wait(lock, [this] { return ended_; });
}

std::uint64_t WebhookReceiver::deliveries() const {
  const std::lock_guard lock(mutex_);
  return deliveries_;
}

api::Response WebhookReceiver::answer_to(const api::Request& request) {
  try {
    const std::lock_guard lock(mutex_);
    return take(request);
  } catch (const std::exception& error) {  // there is no memory
    say("stele listen: {}\n", error.what());
    api::Response answer;
    answer.status = 500;
    answer.content_type = {};
    return answer;
  }
}

api::Response WebhookReceiver::refuse(const api::Request& request, std::string_view slug, std::string why) const {
  api::Response answer = api::Problem(slug, api::without_paths(why)).response(request.path());
  say("stele listen: refused ({}) what came from {}: {}\n", answer.status, request.remote_address(), why);
  return answer;
}

/// Of the newest ids only.
bool WebhookReceiver::is_repeated(std::string_view id) {
  if (id.empty()) return false;
  const std::uint64_t hash = keyed_hash(id);
  if (!known_.insert(hash).second) return true;
  in_order_.push_back(hash);
  if (in_order_.size() > kIdsKnownMax) {
    known_.erase(in_order_.front());
    in_order_.pop_front();
  }
  return false;
}

bool WebhookReceiver::is_to_fail() {
  return std::uniform_int_distribution<unsigned>(0, 99)(random_) < options_.failures_percent;
}

void WebhookReceiver::end() {
  ended_ = true;
  ended_changed_.notify_all();
}

api::Response WebhookReceiver::take(const api::Request& request) {
  if (ended_) return api::Problem("unavailable", "This receiver has come to its end.").response(request.path());
  if (request.method() != api::Method::Post) {
    return api::Problem("method-not-allowed", "Webhooks are sent with POST.")
        .header("Allow", "POST")
        .response(request.path());
  }
  const std::string_view id = request.header("webhook-id");
  const auto secrets = options_.secrets.read();
  if (!secrets) return refuse(request, "internal-error", "cannot verify it: " + secrets.error().describe());
  const bool verified = options_.secrets.given();
  if (verified) {
    const api::WebhookClaim claim{id, request.header("webhook-timestamp"), request.header("webhook-signature")};
    std::string why = api::webhook_objection(*secrets, claim, request.body(), system_clock().now().micros / 1'000'000);
    if (!why.empty()) return refuse(request, "invalid-credentials", std::move(why));
  }
  if (!is_delivery(request.body())) {
    return refuse(request, "malformed-request", "its body is not the JSON of a delivery, with a list of events");
  }

  const JsonMembers body(request.body());
  const bool repeated = is_repeated(id);
  const int status = is_to_fail() ? options_.failure_status : kTaken;
  if (!options_.json && deliveries_ == 0) put(listen_heading());
  for (const std::string_view event : body.list("events")) {
    put(options_.json ? listen_line(event, {id, body, verified, repeated, status})
                      : listen_row(event, status, repeated));
  }
  (void)flush_output();  // what fails is told at the end
  if (output_failed()) {
    end();
    return refuse(request, "internal-error", "it cannot be printed");
  }
  if (++deliveries_ == options_.deliveries_max) end();
  api::Response answer;
  answer.status = status;
  answer.content_type = {};
  return answer;
}

}  // namespace stele::tools
