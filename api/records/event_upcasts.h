#pragma once
// The data of events in another version of their schema than the one they were stored in: what every reader of events
// asks, and what is known of schemas answers (api/schemas).

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "engine/log/record.h"

namespace stele::api {

class UpcastScripts;

/// Which version of its schema the data of an event is wanted in.
struct SchemaVersionChoice {
  enum class Kind : std::uint8_t {
    Newest,  ///< the newest active one of its type
    Stored,  ///< as it was stored
    Exact,   ///< `version`; of a type that has none such, the newest before it that is not withdrawn
  };
  Kind kind = Kind::Newest;
  std::uint32_t version = 0;
};

/// Why an event cannot be shown in the version that was asked for.
struct UpcastFailure {
  std::string detail;                   ///< a sentence; UTF-8 without control characters, at most some 1 KiB
  std::string pointer;                  ///< RFC 6901, in the event's data; empty = all of it
  std::optional<std::uint32_t> line;    ///< of a script, from 1
  std::optional<std::uint32_t> column;  ///< from 1
  /// Nothing is wrong with the event or the upcaster: what runs scripts is busy, has ended or is not there.
  bool passes = false;
  /// The kind of problem that a request ends with which is about this event alone. Static storage.
  std::string_view slug = "upcast-failed";
};

/// An event in the version that was asked for.
struct Upcast {
  std::uint32_t version = 1;               ///< of what is shown; other than the stored one: that is `storedVersion`
  std::optional<std::string> data;         ///< none = the stored bytes; minified where it was changed
  std::optional<UpcastFailure> failure{};  ///< then `version` is the stored one, and there is no `data`
};

/// What may be done for one call of upcast().
struct UpcastTerms {
  /// Asked now and then, where scripts run. May be empty.
  std::function<bool()> abandoned;
  /// What has not been done by then fails. None = some seconds from now.
  std::optional<std::chrono::steady_clock::time_point> deadline{};
  /// Runs those that are scripts. Null: a process that is begun, if there is need, and ended.
  UpcastScripts* scripts = nullptr;
};

/// The versions of all types at one moment: they stay as they are while it is held, so that what is made of many events
/// is made in one way. Immutable; any thread.
///
/// An event is given as it is stored if its type has no schemas (or, for Newest, no active one), if it was stored in
/// the version asked for or a newer one, if its data was redacted or it has none, and if it is no event (an action, the
/// genesis record). A version without an upcaster changes the number alone.
class UpcastChains {
 public:
  virtual ~UpcastChains() = default;

  /// False: the event is as it is stored. Cheap.
  [[nodiscard]] virtual bool concerns(const Record& record, SchemaVersionChoice choice) const = 0;
  /// Whether a script has to run for it, which must not be waited for on an I/O thread.
  [[nodiscard]] virtual bool needs_worker(const Record& record, SchemaVersionChoice choice) const = 0;
  /// Fills one entry of `results` for each record, whatever they are; the two have one size. One event that fails keeps
  /// no other from being upcast. Takes what the data of the records takes, and at most 64 MiB more: callers with many
  /// events give some hundred at a time. One round trip to a worker for each step that is a script, not for each event.
  virtual void upcast(std::span<const Record* const> records, SchemaVersionChoice choice, const UpcastTerms& terms,
                      std::span<Upcast> results) const = 0;

  /// The highest version of the type that is not withdrawn; 1 for a type without schemas.
  [[nodiscard]] virtual std::uint32_t newest_version(std::string_view event_type) const = 0;
  /// The highest of all types.
  [[nodiscard]] virtual std::uint32_t newest_version() const = 0;

  /// Appends what distinguishes the ways in which events of the type may be shown in their newest active version:
  /// nothing if they are all as stored. With `numbers`, those that differ in nothing but the number of the version are
  /// told apart as well.
  virtual void append_identity(std::string_view event_type, bool numbers, std::string& to) const = 0;
  /// The same of all types together.
  virtual void append_identity(bool numbers, std::string& to) const = 0;
};

/// Thread-safe.
class EventUpcasts {
 public:
  virtual ~EventUpcasts() = default;
  /// Null if no type has a second version: all events are as stored, and reading costs nothing more. Cheap, but not for
  /// each event: to be asked once for a page, a replay, or some seconds of a stream.
  [[nodiscard]] virtual std::shared_ptr<const UpcastChains> chains() const = 0;
};

}  // namespace stele::api
