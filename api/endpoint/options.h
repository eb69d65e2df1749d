#pragma once
// What an operator can set about the endpoints.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/access/host_guard.h"
#include "api/endpoint/certificate_term.h"
#include "api/endpoint/retention_times.h"
#include "engine/audit/note_key.h"
#include "engine/base/clock.h"
#include "engine/base/file_system.h"
#include "engine/base/read_budget.h"

namespace stele::api {

class Authenticator;

/// Bounds of what a client may send and ask for. Beyond them: 413 (sizes) or 422 (form).
struct Limits {
  std::size_t body_bytes_max = 16U << 20;      ///< of a whole request
  std::size_t events_max = 10'000;             ///< in one request
  std::size_t data_bytes_max = 1U << 20;       ///< of one event's data, as sent
  std::size_t metadata_bytes_max = 64U << 10;  ///< of one event's metadata, as sent
  std::size_t string_bytes_max = 255;          ///< of a string member; must not exceed kStringBytesMax
  std::uint32_t depth_max = 128;               ///< of arrays and objects inside data and metadata
  std::size_t condition_values_max = 1'000;    ///< of one condition, in all its lists
  /// What may go into comparing a schema with the versions before it, in units of WorkBudget: seconds at most.
  std::uint64_t schema_comparison_work = 100'000'000;
  std::size_t page_default = 100;
  std::size_t page_max = 1000;
};

/// Bounds of replays, and how often snapshots are taken unless a policy of the aggregate's type says otherwise.
struct ReplaySettings {
  std::size_t replays_max = 4;               ///< at once; beyond: 429
  std::size_t waiting_max = 256;             ///< requests for a state that may wait for one of them to end
  std::chrono::milliseconds call_time{100};  ///< of a script for one event
  std::chrono::milliseconds replay_time{60'000};
  std::size_t state_bytes_max = 16U << 20;
  std::size_t state_cache_bytes_max = 64U << 20;  ///< 0 = no cache
  std::uint64_t snapshot_every_events = 1000;     ///< 0 = none in the background
  std::uint64_t snapshot_keep = 2;                ///< newest of an aggregate that are kept
};

/// Bounds of live streams of events.
struct LiveSettings {
  std::size_t streams_max = 1'000;          ///< at once; beyond: 429
  std::size_t buffer_bytes_max = 1U << 20;  ///< of events that wait for a reader at the head, which is cut
  std::chrono::milliseconds checkpoint_interval{10'000};   ///< how long a stream says nothing
  std::chrono::milliseconds credentials_interval{10'000};  ///< how often it is asked whether they are still good
};

/// What subscriptions may ask for, and how many there may be. A smaller one takes nothing away that is there: what was
/// asked for before stays until it is changed.
struct SubscriptionLimits {
  std::uint64_t subscriptions_max = 1'000;
  std::uint64_t filter_entries_max = 100;  ///< in all lists of a subscription
  std::uint64_t batch_events_max = 1'000;
  std::uint64_t headers_max = 32;          ///< that are sent with a webhook by its owner's wish …
  std::uint64_t header_bytes_max = 4'096;  ///< … name and value of one
  std::uint64_t attempts_max = 50;         ///< of an event
  std::chrono::milliseconds delay_min{100}, delay_max{86'400'000};  ///< between two attempts
  // These hold for all of them at once.
  std::uint64_t batch_bytes_max = 1U << 20;    ///< one event may be larger
  std::uint64_t held_aggregates_max = 10'000;  ///< of each; there it is stalled
  std::uint64_t dead_letters_max = 100'000;    ///< the same
};

/// Bounds of subscriptions, and where their secrets are.
struct SubscriptionSettings {
  SubscriptionLimits limits;
  std::string secrets_folder;                        ///< the key store; made when the first secret is written
  FileSystem* files = nullptr;                       ///< none = posix_file_system(); must outlive the service
  std::chrono::milliseconds owners_interval{2'000};  ///< how often it is asked whether their owners are still there
  std::chrono::milliseconds old_secret_time{86'400'000};  ///< how long a secret signs after it was rotated
  /// Gets a line for people when secrets or the journal of deliveries cannot be used; never a secret. Any thread.
  std::function<void(const std::string&)> report = [](const std::string&) {};
};

/// Where the keys are that sign checkpoints, and how often they do.
struct CheckpointSettings {
  /// The key store; the key is made there when the log has none yet. Empty: nothing is signed.
  std::string keys_folder;
  std::string signing_key;      ///< file of the private key (PEM); empty = in the key store
  FileSystem* files = nullptr;  ///< none = posix_file_system(); must outlive the service
  bool in_background = true;    ///< false: no thread; for tests, which say when
  std::chrono::milliseconds interval{1000};
  std::chrono::seconds key_overlap{30 * 86'400};  ///< how long the key before signs as well
  bool is_public = false;                         ///< checkpoint, hash tiles and keys are shown to anyone
};

/// Which reads leave actions in the log. What is refused or fails always does.
enum class AuditedReads : std::uint8_t {
  All,
  Sensitive,  ///< of the audit trail, proofs, redacted bodies and administration only
  None,
};

/// What is written about calls that leave no event, and what happens when that is not possible.
struct AuditSettings {
  AuditedReads reads = AuditedReads::All;
  bool durable_reads = false;      ///< an answer waits until the record about it is synced
  bool refuses_unwritten = false;  ///< 503 for what would be audited while records cannot be written; else it is served
  std::chrono::milliseconds window{1000};  ///< within which calls of one kind become one record
  std::size_t separate_records_max = 100;  ///< in a window; calls beyond become one record together
  std::size_t queue_bytes_max = 4U << 20;  ///< of records that wait for the log; what is beyond is lost, and counted
  std::chrono::milliseconds look_interval{1000};  ///< how often files of keys, and the clock, are looked at
  /// What the record about the start of the server says of it, by the names of flags.
  std::vector<std::pair<std::string, std::string>> server_settings;
};

/// How long bodies of actions are kept at least, whatever is asked for, and when it is seen to that they go.
struct RetentionSettings {
  RetentionTimes minimum = RetentionTimes::all(std::chrono::microseconds{0});
  std::chrono::milliseconds first_pass{5'000};  ///< after the start
  std::chrono::milliseconds interval{86'400'000};
};

/// Who cosigns checkpoints, and where they are written outside of this server.
struct WitnessSettings {
  struct Address {
    std::string url;        ///< what `/add-checkpoint` is put behind
    NoteVerifier verifier;  ///< of its cosignatures
  };
  std::vector<Address> witnesses;
  std::chrono::milliseconds interval{10'000};  ///< how often they are asked, if there is something new
  std::chrono::milliseconds timeout{5'000};    ///< of one request
  std::vector<std::string> anchor_files;
  std::vector<std::string> anchor_streams;  ///< keys of streams in the Redis
  bool in_background = true;                ///< false: no threads; for tests, which say when
};

class Bus;
class MessageFraming;
class RedisSender;
class ScriptHost;
class SharedStateCache;
class TrafficMetrics;
class WebhookSender;
struct EventNotes;

struct ServiceOptions {
  Limits limits;
  ReplaySettings replay;
  LiveSettings live;
  /// What WebSockets are made of; must outlive the service. None: requests for one are answered as if they were none.
  MessageFraming* web_sockets = nullptr;
  /// What runs scripts; must outlive the service. None: there are the built-in handlers only.
  ScriptHost* scripts = nullptr;
  /// Where committed events are published, and where states are kept beside this process; must outlive the service.
  /// None: nowhere.
  Bus* bus = nullptr;
  SharedStateCache* shared_states = nullptr;
  SubscriptionSettings subscriptions;
  CheckpointSettings checkpoints;
  std::optional<AuditSettings> audit;  ///< none: nothing is recorded but events
  RetentionSettings retention;
  WitnessSettings witnesses;
  /// What asks witnesses; must outlive the service. Needed if there are any: they are where the operator says, so that
  /// no address is refused.
  WebhookSender* witness_sender = nullptr;
  /// What sends webhooks, and what delivers to a Redis; must outlive the service. None: no such subscription delivers.
  WebhookSender* webhooks = nullptr;
  RedisSender* redis = nullptr;
  /// What the log says about events beside their records; the service sets it.
  const EventNotes* notes = nullptr;
  /// What one page, or one piece of a stream, may examine before it ends early and its thread turns to the next read.
  /// So many records take 15 to 50 ms in memory, by their size; the time is for those that come from a disk.
  ReadLimits read_limits;
  std::shared_ptr<Authenticator> authenticator;  ///< none: anyone may do anything
  std::vector<std::string> cors_origins;         ///< origins that may call from a browser; "*" = any
  HostGuard host_guard;                          ///< what requests may be addressed to; others are 421
  std::string version = STELE_VERSION;
  std::chrono::milliseconds min_position_wait{5000};
  std::size_t min_position_waiters_max = 1024;  ///< requests that may wait for a position at once
  std::shared_ptr<TrafficMetrics> traffic;  ///< what GET /metrics shows of the HTTP side; none = nothing was counted
  std::function<std::vector<CertificateTerm>()> certificates;  ///< those in use now; any thread; none = no TLS
  const Clock* clock = nullptr;                                ///< none = system_clock(); must outlive the service
};

}  // namespace stele::api
