#include "api/replay/handler_registry.h"

#include <simdjson.h>

#include <limits>
#include <utility>

#include "api/endpoint/own_event_reader.h"
#include "api/endpoint/own_events.h"
#include "api/json/json_writer.h"

namespace stele::api {

namespace {

constexpr std::string_view kHandlerPrefix = "$handler/";
constexpr std::string_view kHandlerType = "$handler";
constexpr std::string_view kRegistered = "$HandlerRegistered";
constexpr std::string_view kPurityChecked = "$HandlerPurityChecked";

/// `version` of a list that has them from 1 without gaps; null if there is none such.
template <class Versions>
auto* version_in(Versions& versions, std::uint64_t version) {
  return version >= 1 && version <= versions.size() ? &versions[version - 1] : nullptr;
}

}  // namespace

Status HandlerRegistry::load(const ReadView& view) {
  return each_own_event(view, std::string(kHandlerPrefix), [this](const Record& record) { apply(record); });
}

void HandlerRegistry::apply(const Record& record) {
  const RecordHeader& header = record.header();
  simdjson::dom::parser parser;
  simdjson::dom::element data;
  std::string_view type, name;
  std::uint64_t version = 0;
  const std::unique_lock lock(mutex_);
  if (parser.parse(std::string(record.body().data.value_or(""))).get(data) != simdjson::SUCCESS ||
      data["aggregateType"].get(type) != simdjson::SUCCESS || data["name"].get(name) != simdjson::SUCCESS ||
      data["version"].get(version) != simdjson::SUCCESS) {
    ++unreadable_;
    return;
  }
  std::vector<HandlerVersion>& versions = types_[std::string(type)][std::string(name)];
  std::string_view source;
  bool pure = false;
  if (header.event_type == kRegistered && version == versions.size() + 1 &&
      data["source"].get(source) == simdjson::SUCCESS) {
    versions.push_back({static_cast<std::uint32_t>(version), script_identity(source), header.position, header.time,
                        std::nullopt, std::nullopt});
    return;
  }
  HandlerVersion* const known = version_in(versions, version);
  if (header.event_type != kPurityChecked || known == nullptr || data["pure"].get(pure) != simdjson::SUCCESS) {
    ++unreadable_;
    return;
  }
  known->pure = pure;
  std::uint64_t since = 0;
  if (data["impureSince"].get(since) == simdjson::SUCCESS) known->impure_since = Position{since};
}

std::variant<HandlerRegistry::Registered, Problem> HandlerRegistry::put(Store& store, const std::string& aggregate_type,
                                                                        const std::string& name,
                                                                        std::string_view source, const ChangedBy& by,
                                                                        const Clock& clock) {
  const std::lock_guard changing(changing_);
  const Digest identity = script_identity(source);
  std::uint32_t version = 1;
  {
    const std::shared_lock lock(mutex_);
    const auto type = types_.find(aggregate_type);
    const auto versions = type == types_.end() ? Names::const_iterator() : type->second.find(name);
    if (type == types_.end() || versions == type->second.end()) {
      if (type != types_.end() && type->second.size() >= kNamesMax) {
        return Problem("too-many-handlers",
                       "An aggregate type has at most " + std::to_string(kNamesMax) + " names of handlers.");
      }
    } else {
      const HandlerVersion& newest = versions->second.back();
      if (newest.identity == identity) return Registered{newest.version, false};
      if (newest.version >= kVersionsMax) {
        return Problem("too-many-handlers",
                       "A handler has at most " + std::to_string(kVersionsMax) + " versions; take another name.");
      }
      version = newest.version + 1;
    }
  }
  std::string data;
  JsonWriter json(data);
  json.begin_object().key("aggregateType").string(aggregate_type).key("name").string(name);
  json.key("version").number(version).key("source").string(source).end_object();
  auto stored =
      append_own_event(store, own_event(own_aggregate_id(kHandlerPrefix, aggregate_type), std::string(kHandlerType),
                                        std::string(kRegistered), std::move(data), by.caller, by.correlation, clock));
  if (auto* const problem = std::get_if<Problem>(&stored)) return std::move(*problem);
  const OwnEventPlace& place = std::get<OwnEventPlace>(stored);
  const std::unique_lock lock(mutex_);
  types_[aggregate_type][name].push_back({version, identity, place.position, place.time, std::nullopt, std::nullopt});
  return Registered{version, true};
}

bool HandlerRegistry::set_purity(Store& store, const EventHandler& handler, bool pure, Position at,
                                 std::string_view aggregate_id, const Clock& clock) {
  if (!handler.version) return true;
  const std::lock_guard changing(changing_);
  {
    const std::unique_lock lock(mutex_);
    const auto type = types_.find(handler.aggregate_type);
    if (type == types_.end()) return true;
    const auto versions = type->second.find(handler.name);
    HandlerVersion* const known =
        versions == type->second.end() ? nullptr : version_in(versions->second, *handler.version);
    // Once impure, always impure; what was found pure once may still be found out.
    if (known == nullptr || known->pure == false || known->pure == pure) return true;
    known->pure = pure;
    if (!pure) known->impure_since = at;
  }
  std::string data;
  JsonWriter json(data);
  json.begin_object().key("aggregateType").string(handler.aggregate_type).key("name").string(handler.name);
  json.key("version").number(*handler.version).key("pure").boolean(pure);
  if (!pure) json.key("impureSince").number(at.value());
  json.key("aggregateId").string(aggregate_id).end_object();
  return std::holds_alternative<OwnEventPlace>(append_own_event(
      store, own_event(own_aggregate_id(kHandlerPrefix, handler.aggregate_type), std::string(kHandlerType),
                       std::string(kPurityChecked), std::move(data), Caller(), {}, clock)));
}

std::optional<EventHandler> HandlerRegistry::find(const std::optional<std::string>& aggregate_type,
                                                  std::string_view name, std::optional<std::uint32_t> version) const {
  if (name == kMergeHandler || name == kLastHandler) {
    if (version) return std::nullopt;
    return built_in_handler(name == kMergeHandler ? EventHandler::Kind::Merge : EventHandler::Kind::Last);
  }
  if (!aggregate_type) return std::nullopt;
  const std::shared_lock lock(mutex_);
  const auto type = types_.find(*aggregate_type);
  if (type == types_.end()) return std::nullopt;
  const auto versions = type->second.find(name);
  if (versions == type->second.end() || versions->second.empty()) return std::nullopt;
  const HandlerVersion* const found = version_in(versions->second, version.value_or(versions->second.back().version));
  if (found == nullptr) return std::nullopt;
  EventHandler handler;
  handler.kind = EventHandler::Kind::Script;
  handler.name = name;
  handler.version = found->version;
  handler.identity = found->identity;
  handler.source_at = found->position;
  handler.aggregate_type = *aggregate_type;
  handler.pure = found->pure;
  handler.impure_since = found->impure_since;
  return handler;
}

EventHandler HandlerRegistry::default_of(const std::optional<std::string>& aggregate_type) const {
  if (auto handler = find(aggregate_type, kDefaultHandler, std::nullopt)) return *std::move(handler);
  return built_in_handler(EventHandler::Kind::Merge);
}

Result<std::string> HandlerRegistry::source_of(const EventHandler& handler, const ReadView& view) {
  if (!handler.source_at) return handler.source;
  Record record;
  STELE_TRY(view.read(*handler.source_at, record));
  simdjson::dom::parser parser;
  simdjson::dom::element data;
  std::string_view source;
  if (parser.parse(std::string(record.body().data.value_or(""))).get(data) != simdjson::SUCCESS ||
      data["source"].get(source) != simdjson::SUCCESS) {
    return Error{.kind = ErrorKind::Corrupt, .message = "the event that registered a handler has no source"};
  }
  return std::string(source);
}

std::vector<HandlerRegistry::Listed> HandlerRegistry::list(const std::optional<std::string>& aggregate_type) const {
  std::vector<Listed> all;
  const std::shared_lock lock(mutex_);
  for (const auto& [type, names] : types_) {
    if (aggregate_type && type != *aggregate_type) continue;
    for (const auto& [name, versions] : names) {
      if (!versions.empty()) all.push_back({type, name, versions});
    }
  }
  return all;
}

std::optional<HandlerRegistry::Listed> HandlerRegistry::versions_of(const std::string& aggregate_type,
                                                                    const std::string& name) const {
  const std::shared_lock lock(mutex_);
  const auto type = types_.find(aggregate_type);
  if (type == types_.end()) return std::nullopt;
  const auto versions = type->second.find(name);
  if (versions == type->second.end() || versions->second.empty()) return std::nullopt;
  return Listed{aggregate_type, name, versions->second};
}

std::uint64_t HandlerRegistry::unreadable() const {
  const std::shared_lock lock(mutex_);
  return unreadable_;
}

}  // namespace stele::api
