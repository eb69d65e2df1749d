#include "api/live/live_room.h"

namespace stele::api {

std::optional<LiveRoom::Place> LiveRoom::take_place(Kind kind) {
  std::atomic<std::uint64_t>& open = kind == Kind::EventSource ? event_sources_ : web_sockets_;
  Place place(&open);
  open.fetch_add(1, std::memory_order_relaxed);
  if (event_sources_.load() + web_sockets_.load() > options.live.streams_max) return std::nullopt;
  return place;
}

SubjectReport LiveRoom::report() const {
  using Metric = SubjectMetric;
  const EventHubMetrics followed = hub.metrics();
  SubjectReport report;
  report.metrics = {
      {Metric::Kind::Gauge,
       "stele_live_streams",
       "Live streams that are open.",
       "protocol",
       {{"sse", event_sources_.load()}, {"websocket", web_sockets_.load()}}},
      {Metric::Kind::Counter,
       "stele_live_events_sent_total",
       "Events given to live streams.",
       {},
       {{{}, events_sent.load()}}},
      {Metric::Kind::Counter,
       "stele_live_streams_cut_total",
       "Live streams that the server has ended.",
       "reason",
       {{"slow", cut_for_slowness.load()}, {"credentials", cut_for_credentials.load()}}},
      {Metric::Kind::Gauge, "stele_followers", "Followers of the log.", {}, {{{}, followed.followers}}},
      {Metric::Kind::Gauge,
       "stele_followers_at_head",
       "Followers that wait for new events.",
       {},
       {{{}, followed.followers_at_head}}},
      {Metric::Kind::Counter,
       "stele_follower_records_read_total",
       "New records that were read for followers, each once for all of them.",
       {},
       {{{}, followed.records_read}}},
      {Metric::Kind::Counter,
       "stele_follower_overflows_total",
       "How often a follower was too slow for what was appended, and read the log again.",
       {},
       {{{}, followed.overflows}}},
  };
  return report;
}

}  // namespace stele::api
