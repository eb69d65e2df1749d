#pragma once
// The registered handlers: scripts by aggregate type, name and version. They are events in `$handler/<type>` aggregates
// (`$HandlerRegistered`, `$HandlerPurityChecked`), so a server that restarts, or a tool that only reads, has them all.

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "api/access/principal.h"
#include "api/http/problem.h"
#include "api/replay/event_handler.h"
#include "engine/base/clock.h"
#include "engine/store/store.h"

namespace stele::api {

/// One registration.
struct HandlerVersion {
  std::uint32_t version = 1;  ///< 1, 2, 3 … of its name
  Digest identity{};
  Position position;  ///< of the event that registered it
  Timestamp time;
  std::optional<bool> pure;
  std::optional<Position> impure_since;
};

/// Who changes the registry, for the event that says so.
struct ChangedBy {
  Caller caller;
  std::string correlation;
};

/// Thread-safe; changes come one at a time. They and load() may block.
class HandlerRegistry {
 public:
  static constexpr std::size_t kSourceBytesMax = 256U << 10;
  static constexpr std::size_t kNamesMax = 100;        ///< of an aggregate type
  static constexpr std::uint32_t kVersionsMax = 1000;  ///< of a name

  /// Reads what was registered. Before anything else.
  [[nodiscard]] Status load(const ReadView& view);

  struct Registered {
    std::uint32_t version = 1;
    bool created = false;  ///< false: the newest version has this very source
  };
  /// A new version, durable on return. The source was tried.
  [[nodiscard]] std::variant<Registered, Problem> put(Store& store, const std::string& aggregate_type,
                                                      const std::string& name, std::string_view source,
                                                      const ChangedBy& by, const Clock& clock);
  /// What checking a version on an aggregate has shown. Nothing happens if that is known. False if it could not be
  /// stored: it holds in this process all the same.
  bool set_purity(Store& store, const EventHandler& handler, bool pure, Position at, std::string_view aggregate_id,
                  const Clock& clock);

  /// Of an aggregate type: none = it has no type. Without a version the newest. None if there is no such handler.
  [[nodiscard]] std::optional<EventHandler> find(const std::optional<std::string>& aggregate_type,
                                                 std::string_view name, std::optional<std::uint32_t> version) const;
  /// The script named `default` of the type, else `merge`.
  [[nodiscard]] EventHandler default_of(const std::optional<std::string>& aggregate_type) const;
  /// The handler's source, from the event that registered it.
  [[nodiscard]] static Result<std::string> source_of(const EventHandler& handler, const ReadView& view);

  struct Listed {
    std::string aggregate_type;
    std::string name;
    std::vector<HandlerVersion> versions;  ///< ascending, not empty
  };
  /// In order of type and name; of one type if it is given.
  [[nodiscard]] std::vector<Listed> list(const std::optional<std::string>& aggregate_type) const;
  [[nodiscard]] std::optional<Listed> versions_of(const std::string& aggregate_type, const std::string& name) const;
  /// Own events that cannot be understood, when there are any.
  [[nodiscard]] std::uint64_t unreadable() const;

 private:
  using Names = std::map<std::string, std::vector<HandlerVersion>, std::less<>>;

  void apply(const Record& record);

  std::mutex changing_;  ///< held while an event is being appended
  mutable std::shared_mutex mutex_;
  std::map<std::string, Names, std::less<>> types_;
  std::uint64_t unreadable_ = 0;
};

}  // namespace stele::api
