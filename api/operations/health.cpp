#include "api/operations/health.h"

#include <iterator>
#include <utility>

#include "api/access/authenticator.h"
#include "api/http/problem.h"
#include "api/json/json_writer.h"
#include "engine/base/uuid.h"

namespace stele::api {

namespace {

void strings(JsonWriter& json, const std::vector<std::string>& texts) {
  json.begin_array();
  for (const std::string& text : texts) json.string(printable(without_paths(text)));
  json.end_array();
}

template <class Write>
std::string object(Write write) {
  std::string text;
  JsonWriter json(text);
  json.begin_object();
  write(json);
  json.end_object();
  return text;
}

std::string recovery_json(const RecoveryReport& report) {
  return object([&](JsonWriter& json) {
    json.key("tailCase").string(report.tail_case);
    json.key("segments").number(report.segments);
    json.key("records").number(report.records);
    json.key("indexRuns").number(report.index_runs);
    json.key("replayedRecords").number(report.replayed);
    json.key("cutBytes").number(report.cut_bytes);
    json.key("rewrittenBytes").number(report.rewritten_bytes);
    json.key("notes");
    strings(json, report.notes);
  });
}

}  // namespace

std::vector<std::string> Health::warnings(const StoreHealth& health, const SubjectReport& subjects) const {
  std::vector<std::string> all = health.warnings;
  const auto add = [&](std::vector<std::string> more) {
    all.insert(all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
  };
  add(subjects.warnings);
  if (options_.authenticator) add(options_.authenticator->warnings());
  if (options_.certificates) {
    const Clock& clock = options_.clock ? *options_.clock : system_clock();
    add(certificate_warnings(options_.certificates(), clock.now()));
  }
  return all;
}

Response Health::ready(std::string_view path) const {
  const StoreHealth health = store_.health();
  const SubjectReport subjects = subjects_();
  const bool closing = shutting_down();
  const auto warnings_json = [&] {
    std::string text;
    JsonWriter json(text);
    strings(json, warnings(health, subjects));
    return text;
  };
  const auto text_json = [](std::string_view text) {
    std::string json;
    append_json_string(json, printable(without_paths(text)));
    return json;
  };
  std::vector<std::pair<std::string_view, std::string>> members = {
      {"writable", health.writable ? "true" : "false"},
      {"shuttingDown", closing ? "true" : "false"},
      {"reason", closing                 ? R"("The server is shutting down.")"
                 : health.reason.empty() ? "null"
                                         : text_json(health.reason)},
      {"warnings", warnings_json()},
      {"size", std::to_string(store_.durable_end().value())},
      {"groups", std::to_string(health.groups)},
      {"recordsAppended", std::to_string(health.records_appended)},
      {"queueProposals", std::to_string(health.queue_proposals)},
      {"unpreparedSegments", std::to_string(health.unprepared_segments)},
      {"indexRuns", std::to_string(health.index_runs)},
      {"scrubPasses", std::to_string(health.scrub_passes)},
      {"scrubbedBytes", std::to_string(health.scrubbed_bytes)},
      {"recovery", recovery_json(store_.recovery())},
      {"storeId", text_json(to_string(store_.store_id()))},
      {"origin", text_json(store_.origin())},
      {"version", text_json(options_.version)},
  };
  members.insert(members.end(), subjects.members.begin(), subjects.members.end());
  if (health.writable && !closing) {
    Response response;
    response.body = object([&](JsonWriter& json) {
      json.key("ready").boolean(true);
      for (const auto& [name, value] : members) json.key(name).raw(value);
    });
    return response;
  }
  Problem problem("not-ready", closing ? "The server is shutting down."
                                       : "The store accepts no events: " + without_paths(health.reason));
  problem.header("Retry-After", "5").member("ready", "false");
  for (const auto& [name, value] : members) problem.member(name, value);
  return problem.response(path);
}

}  // namespace stele::api
