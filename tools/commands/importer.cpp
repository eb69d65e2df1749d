#include "tools/commands/importer.h"

#include <fmt/core.h>
#include <simdjson.h>

#include <algorithm>
#include <map>
#include <utility>

#include "api/json/json_diagnosis.h"
#include "engine/base/digest.h"
#include "tools/client/exported_event.h"
#include "tools/client/problem.h"

namespace stele::tools {

namespace {

constexpr std::string_view kNdjson = "application/x-ndjson";
constexpr std::string_view kJson = "application/json";

/// What can be told of a line without the server.
struct LineFacts {
  std::string bad;                      ///< why it is no JSON object; empty if it is one
  std::optional<std::string> event_id;  ///< in lower case
  bool own_record = false;              ///< of an export: not to be sent
};

/// In the server's words.
std::string error_of(std::string_view text, simdjson::error_code error) {
  const auto diagnosis = api::diagnose_json(text);
  if (diagnosis.broken)
    return fmt::format("not JSON: {} (byte {})", diagnosis.broken->detail, diagnosis.broken->offset);
  std::string words;
  for (const auto& value : diagnosis.values) {
    words += (words.empty() ? "" : "; ") + (value.pointer.empty() ? "" : value.pointer + ": ") + value.detail;
  }
  return words.empty() ? fmt::format("not JSON: {}", simdjson::error_message(error)) : words;
}

/// `exported`: takes out of `text` what the server gives.
LineFacts look_at(simdjson::dom::parser& parser, std::string& text, bool exported) {
  simdjson::dom::element root;
  if (const auto error = parser.parse(text.data(), text.size()).get(root); error != simdjson::SUCCESS) {
    return {.bad = error_of(text, error)};
  }
  simdjson::dom::object event;
  if (root.get(event) != simdjson::SUCCESS) return {.bad = "not an event: it is no JSON object"};
  LineFacts facts;
  if (exported) {
    facts.own_record = is_own_record(event);
    if (!facts.own_record && is_without_data(event)) {
      return {.bad = "cannot be stored: the event's data was redacted in the store it comes from"};
    }
    text = without_server_members(event, text);
  }
  std::string_view id;
  if (event["eventId"].get_string().get(id) != simdjson::SUCCESS) return facts;
  std::string& lower = facts.event_id.emplace(id);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return facts;
}

/// The same for the same bytes at the same place of the input, so that equal batches further down are not taken for
/// repeats.
std::string idempotency_key(std::uint64_t first_line, std::string_view body) {
  const Digest digest = sha256({std::to_string(first_line), "\n", body});
  std::string key = "import-";
  for (const std::uint8_t byte : digest) key += fmt::format("{:02x}", byte);
  return key;
}

/// The events a refusal names, with what is wrong with each; empty unless it names every one of its reasons by index.
std::map<std::size_t, std::string> named_events(const Problem& problem, std::size_t count) {
  std::map<std::size_t, std::string> named;
  for (const auto& error : problem.errors) {
    const auto index = event_index_of(error.pointer);
    if (!index || *index >= count) return {};
    const auto member = error.pointer.find('/', error.pointer.starts_with("/events/") ? 8 : 1);
    auto& text = named[*index];
    if (!text.empty()) text += "; ";
    if (member != std::string::npos) text += error.pointer.substr(member) + ": ";
    text += error.detail;
  }
  return named;
}

bool is_refusal_of_content(int status) { return status == 400 || status == 409 || status == 413 || status == 422; }

}  // namespace

Importer::Importer(HttpClient& client, const ImportOptions& options, Progress& progress)
    : options_(options), progress_(progress), sender_(client, options.retry_for, [this](const std::string& news) {
        if (!options_.quiet) progress_.print(news);
      }) {}

Status Importer::run(LineReader& reader) {
  Line line;
  for (;;) {
    const auto more = reader.next(line);
    if (!more) {
      STELE_TRY(flush_before_stop());
      return more.error();
    }
    if (!*more) return flush();
    STELE_TRY(take(line));
    if (stopped_) return {};
    progress_.update({counts_.stored + counts_.already_there + counts_.bad, reader.bytes_read(), reader.bytes_total()});
  }
}

Status Importer::take(Line& line) {
  static thread_local simdjson::dom::parser parser;
  LineFacts facts;
  if (line.too_long) {
    facts.bad = "longer than the limit (--line-size-max)";
  } else {
    facts = look_at(parser, line.text, options_.exported);
  }
  if (facts.own_record) {
    ++counts_.left_out;
  } else if (!facts.bad.empty()) {
    if (options_.strict) {
      STELE_TRY(flush_before_stop());
      if (stopped_) return {};
    }
    report_bad(line.number, facts.bad);
    stopped_ = options_.strict;
    ++batch_slots_;
  } else {
    // An id twice in one list would be refused as a whole; apart, the second is a repeat or a conflict of its own.
    const bool repeated = facts.event_id && batch_ids_.contains(*facts.event_id);
    if (repeated || batch_bytes_ + line.text.size() + 1 > options_.batch_bytes_max) {
      STELE_TRY(flush());
      if (stopped_) return {};
    }
    if (facts.event_id) {
      batch_ids_.insert(std::move(*facts.event_id));
    } else {
      batch_lacks_ids_ = true;
      if (!std::exchange(warned_of_missing_ids_, true) && !options_.quiet) {
        progress_.print(
            fmt::format("warning: line {} has no eventId. Such lines are stored once only as long as the input before "
                        "them and --batch stay the same;"
                        " otherwise a repeat stores them again.",
                        line.number));
      }
    }
    batch_bytes_ += line.text.size() + 1;
    ++batch_slots_;
    batch_.push_back({line.number, std::move(line.text)});
  }
  if (batch_slots_ >= options_.batch_lines) return flush();
  return {};
}

Status Importer::flush() {
  const std::uint64_t last = batch_.empty() ? counts_.last_line : batch_.back().number;
  if (!batch_.empty()) STELE_TRY(batch_.size() == 1 ? send_one_by_one() : send_together());
  if (!stopped_) counts_.last_line = std::max(counts_.last_line, last);
  forget_batch();
  return {};
}

Status Importer::flush_before_stop() {
  if (!batch_lacks_ids_) return flush();
  forget_batch();
  return {};
}

void Importer::forget_batch() {
  batch_.clear();
  batch_ids_.clear();
  batch_slots_ = 0;
  batch_bytes_ = 0;
  batch_lacks_ids_ = false;
}

Status Importer::send_together() {
  std::string body;
  while (batch_.size() > 1) {
    body.clear();
    for (const auto& line : batch_) body.append(line.text) += '\n';
    STELE_ASSIGN(const HttpResponse response, post(kNdjson, body, batch_.front().number));
    if (response.status / 100 == 2) {
      count_accepted(response, batch_.size());
      return {};
    }
    const Problem problem = read_problem(response);
    const auto named =
        response.status == 409 ? std::map<std::size_t, std::string>{} : named_events(problem, batch_.size());
    if (named.empty()) return send_one_by_one();
    if (options_.strict) {
      const auto [index, why] = *named.begin();
      const std::uint64_t bad_line = batch_[index].number;
      batch_.resize(batch_lacks_ids_ ? 0 : index);
      if (!batch_.empty()) STELE_TRY(batch_.size() == 1 ? send_one_by_one() : send_together());
      if (!std::exchange(stopped_, true)) report_bad(bad_line, why);
      return {};
    }
    for (auto bad = named.rbegin(); bad != named.rend(); ++bad) {
      batch_[bad->first].text.clear();
    }
    for (const auto& [index, why] : named) report_bad(batch_[index].number, why);
    std::erase_if(batch_, [](const Pending& line) { return line.text.empty(); });
  }
  return batch_.empty() ? Status{} : send_one_by_one();
}

Status Importer::send_one_by_one() {
  for (const auto& line : batch_) {
    STELE_ASSIGN(const HttpResponse response, post(kJson, line.text, line.number));
    if (response.status / 100 == 2) {
      count_accepted(response, 1);
    } else {
      report_bad(line.number, read_problem(response).describe());
      if (options_.strict) {
        stopped_ = true;
        return {};
      }
    }
    counts_.last_line = std::max(counts_.last_line, line.number);
  }
  return {};
}

Result<HttpResponse> Importer::post(std::string_view content_type, std::string_view body, std::uint64_t first_line) {
  HttpRequest request;
  request.method = "POST";
  request.target = "/v1/events";
  request.headers.emplace_back("Content-Type", content_type);
  if (batch_lacks_ids_) request.headers.emplace_back("Idempotency-Key", idempotency_key(first_line, body));
  request.body = body;
  STELE_ASSIGN(HttpResponse response, sender_.send(request));
  if (response.status / 100 != 2 && !is_refusal_of_content(response.status)) {
    return Error{ErrorKind::InvalidArgument, "the server refuses: " + read_problem(response).describe()};
  }
  return response;
}

void Importer::count_accepted(const HttpResponse& response, std::uint64_t events) {
  const bool replayed = response.header("idempotent-replayed") == "true";
  (replayed ? counts_.already_there : counts_.stored) += events;
}

void Importer::report_bad(std::uint64_t line, std::string_view why) {
  ++counts_.bad;
  progress_.print(fmt::format("line {}: {}", line, why));
}

}  // namespace stele::tools
