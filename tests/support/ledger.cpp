#include "tests/support/ledger.h"

#include <simdjson.h>

#include <algorithm>

#include "engine/base/uuid.h"

namespace stele::tests {

namespace {

constexpr std::size_t kErrorsShown = 20;
constexpr std::size_t kIdsLookedUp = 200;

void add_error(Comparison& to, std::string error) {
  if (to.errors.size() < kErrorsShown) to.errors.push_back(std::move(error));
}

std::string minified(std::string_view json) {
  thread_local simdjson::dom::parser parser;
  return simdjson::minify(parser.parse(json.data(), json.size()));
}

struct StoredEvent {
  std::string aggregate, data;
  std::uint64_t position = 0, sequence = 0;
};

/// The lines of an answer in NDJSON.
template <class Visit>
void each_line(const std::string& text, Visit visit) {
  simdjson::dom::parser parser;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    visit(parser.parse(text.data() + at, end - at));
    at = end + 1;
  }
}

std::string percent_encoded(std::string_view text) {
  std::string encoded;
  for (const char c : text) encoded += c == '/' ? std::string("%2F") : std::string(1, c);
  return encoded;
}

Fate fate_of(const HttpResponse& response) {
  switch (response.status) {
    case 200:
    case 201:
      return Fate::Stored;
    case 503:
      return response.body.find("/problems/outcome-unknown") == std::string::npos ? Fate::Refused : Fate::Unknown;
    case 0:
    case 500:  // "stored, but the receipt cannot be read back" is one of these
      return Fate::Unknown;
    default:
      return Fate::Refused;
  }
}

/// Everything the store holds, by event id; errors of the log by itself go to `comparison`.
std::map<std::string, StoredEvent> read_all(HttpClient& http, Comparison& comparison) {
  std::map<std::string, StoredEvent> stored;
  const HttpResponse all = http.get("/v1/events", {{"Accept", "application/x-ndjson"}});
  if (all.status != 200 || !all.error.empty()) {
    add_error(comparison, "the log cannot be read: " + std::to_string(all.status) + " " + all.error + " " + all.body);
    return stored;
  }
  std::map<std::string, std::uint64_t> sequences;
  std::uint64_t previous = 0;
  each_line(all.body, [&](simdjson::dom::element line) {
    StoredEvent event{.aggregate = std::string(line["aggregateId"].get_string().value()),
                      .data = simdjson::minify(line["data"]),
                      .position = line["position"].get_uint64(),
                      .sequence = line["sequenceNumber"].get_uint64()};
    const std::string id(line["eventId"].get_string().value());
    const std::string place = "event " + id + " at position " + std::to_string(event.position);
    if (event.position <= previous) add_error(comparison, place + " follows " + std::to_string(previous));
    previous = event.position;
    if (event.sequence != ++sequences[event.aggregate]) {
      add_error(comparison, place + " has number " + std::to_string(event.sequence) + " of " + event.aggregate +
                                ", not " + std::to_string(sequences[event.aggregate]));
    }
    if (!stored.emplace(id, std::move(event)).second) add_error(comparison, place + " is stored twice");
  });
  return stored;
}

/// The lists of the aggregates and some single events must show what the log shows.
void compare_lookups(HttpClient& http, const std::map<std::string, StoredEvent>& stored, Comparison& comparison) {
  std::map<std::string, std::uint64_t> counts;
  for (const auto& [id, event] : stored) ++counts[event.aggregate];
  for (const auto& [aggregate, count] : counts) {
    const HttpResponse list =
        http.get("/v1/events?aggregateId=" + percent_encoded(aggregate), {{"Accept", "application/x-ndjson"}});
    std::uint64_t lines = 0;
    each_line(list.body, [&](simdjson::dom::element line) {
      const auto found = stored.find(std::string(line["eventId"].get_string().value()));
      if (found != stored.end() && found->second.aggregate == aggregate) ++lines;
    });
    if (list.status != 200 || lines != count) {
      add_error(comparison, "the list of " + aggregate + " has " + std::to_string(lines) + " events, the log " +
                                std::to_string(count));
    }
  }
  const std::size_t step = stored.size() / kIdsLookedUp + 1;
  std::size_t at = 0;
  for (const auto& [id, event] : stored) {
    if (at++ % step != 0) continue;
    const HttpResponse one = http.get("/v1/events/" + id);
    simdjson::dom::parser parser;
    simdjson::dom::element json;
    if (one.status != 200 || parser.parse(one.body).get(json) != simdjson::SUCCESS ||
        json["position"].get_uint64().value() != event.position) {
      add_error(comparison, "event " + id + " is not found by its id: " + std::to_string(one.status));
    }
  }
}

}  // namespace

std::string Comparison::text() const {
  std::string text;
  for (const std::string& error : errors) text += error + "\n";
  return text;
}

Ledger::Ledger(const Ledger& other)
    : commits_(other.commits_),
      answered_(other.answered_),
      acknowledged_(other.acknowledged_),
      refused_(other.refused_) {}

HttpResponse Ledger::send(HttpClient& http, SentCommit commit) {
  SentCommit* sent = nullptr;
  {
    const std::lock_guard lock(mutex_);
    const std::string key = commit.events.front().id;
    sent = &commits_.emplace(key, std::move(commit)).first->second;
  }
  HttpResponse response = http.post("/v1/events", sent->body);  // only this thread uses the entry
  note(*sent, response);
  return response;
}

void Ledger::note(SentCommit& commit, const HttpResponse& response) {
  const Fate fate = fate_of(response);
  if (fate == Fate::Stored) {
    simdjson::dom::parser parser;
    const simdjson::dom::element receipt = parser.parse(response.body);
    for (std::size_t i = 0; i < commit.events.size(); ++i) {
      const simdjson::dom::element event = commit.is_list ? receipt["events"].at(i).value() : receipt;
      commit.events[i].position = event["position"].get_uint64();
      commit.events[i].sequence = event["sequenceNumber"].get_uint64();
    }
  }
  const std::lock_guard lock(mutex_);
  commit.fate = fate;
  if (fate == Fate::Stored) acknowledged_ += commit.events.size();
  if (fate == Fate::Refused) ++refused_;
  ++answered_;
  changed_.notify_all();
}

Comparison Ledger::compare(int port) {
  Comparison comparison;
  HttpClient http(port);
  const std::map<std::string, StoredEvent> stored = read_all(http, comparison);
  for (const auto& [key, commit] : commits_) {
    std::size_t present = 0;
    std::uint64_t first = 0;
    for (std::size_t i = 0; i < commit.events.size(); ++i) {
      const SentEvent& sent = commit.events[i];
      const auto found = stored.find(sent.id);
      if (found == stored.end()) {
        if (commit.fate == Fate::Stored) {
          ++comparison.lost;
          add_error(comparison, "acknowledged and lost: " + sent.id + " at position " + std::to_string(sent.position));
        }
        continue;
      }
      ++present;
      ++comparison.stored;
      const StoredEvent& event = found->second;
      if (i == 0) first = event.position;
      const bool same =
          event.aggregate == sent.aggregate && event.data == minified(sent.data) && event.position == first + i &&
          (commit.fate != Fate::Stored || (event.position == sent.position && event.sequence == sent.sequence));
      if (!same) {
        if (commit.fate == Fate::Stored) ++comparison.lost;
        add_error(comparison, "stored, but not as sent or acknowledged: " + sent.id);
      }
    }
    if (present != 0 && present != commit.events.size()) add_error(comparison, "half a commit is stored: " + key);
    if (present != 0 && commit.fate == Fate::Refused) add_error(comparison, "refused and yet stored: " + key);
  }
  if (comparison.stored != stored.size()) add_error(comparison, "the store holds events that nobody sent");
  compare_lookups(http, stored, comparison);
  return comparison;
}

Comparison Ledger::settle(int port) {
  Comparison comparison;
  HttpClient http(port);
  for (auto& [key, commit] : commits_) {
    if (commit.fate != Fate::Unknown) continue;
    const HttpResponse response = http.post("/v1/events", commit.body);
    note(commit, response);
    if (commit.fate == Fate::Unknown || (commit.fate == Fate::Refused && response.status != 409)) {
      add_error(comparison, "sent again: " + key + " gives " + std::to_string(response.status) + " " + response.body);
    }
    if (commit.fate != Fate::Stored) continue;
    for (const SentEvent& event : commit.events) {
      const HttpResponse data = http.get("/v1/events/" + event.id + "/data");
      if (data.status != 200 || data.body != event.data) {
        ++comparison.lost;
        add_error(comparison, "sent again, but its data is not what was sent: " + event.id);
      }
    }
  }
  return comparison;
}

bool Ledger::wait_for_answers(std::uint64_t count) {
  std::unique_lock lock(mutex_);
  const std::uint64_t goal = answered_ + count;
  while (answered_ < goal) {
    const std::uint64_t before = answered_;
    changed_.wait_for(lock, std::chrono::minutes{1});
    if (answered_ == before) return false;
  }
  return true;
}

std::uint64_t Ledger::acknowledged() const {
  const std::lock_guard lock(mutex_);
  return acknowledged_;
}

std::uint64_t Ledger::refused() const {
  const std::lock_guard lock(mutex_);
  return refused_;
}

std::uint64_t Ledger::sent() const {
  const std::lock_guard lock(mutex_);
  return commits_.size();
}

SentCommit make_commit(std::mt19937_64& random, const LoadOptions& options) {
  SentCommit commit;
  const std::uint64_t shape = random() % 10;
  commit.is_list = shape >= 8;
  const bool refused = shape == 7;
  const std::size_t count = commit.is_list ? 2 + random() % 4 : 1;
  for (std::size_t i = 0; i < count; ++i) {
    SentEvent event{.id = to_string(make_uuid_v7(system_clock())),
                    .aggregate = "a/" + std::to_string(random() % static_cast<std::uint64_t>(options.aggregates)),
                    // White space that only a byte-for-byte copy keeps.
                    .data = "{\"n\": " + std::to_string(random() % 1000) + ",  \"fill\":\"" +
                            std::string(random() % options.data_bytes_max, 'f') + "\"}"};
    commit.body += commit.body.empty() ? "" : ",";
    commit.body += R"({"eventId":")" + event.id + R"(","eventType":"Loaded","aggregateId":")" + event.aggregate + '"';
    if (refused) commit.body += R"(,"sequenceNumber":1000000000)";
    commit.body += R"(,"data":)" + event.data + "}";
    commit.events.push_back(std::move(event));
  }
  if (commit.is_list) commit.body = "[" + commit.body + "]";
  return commit;
}

Load::Load(int port, int clients, std::uint64_t seed, Ledger& ledger, LoadOptions options) {
  for (int i = 0; i < clients; ++i) {
    clients_.emplace_back([=, this, &ledger] {
      std::mt19937_64 random(seed + static_cast<std::uint64_t>(i));
      HttpClient http(port);
      while (!stop_) {
        const HttpResponse response = ledger.send(http, make_commit(random, options));
        if (response.status == 0 || response.status >= 500) return;
      }
    });
  }
}

void Load::stop() {
  stop_ = true;
  for (std::thread& client : clients_) client.join();
  clients_.clear();
}

}  // namespace stele::tests
