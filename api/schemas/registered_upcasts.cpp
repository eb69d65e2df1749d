#include "api/schemas/registered_upcasts.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "api/http/problem.h"
#include "api/schemas/upcast_operations.h"
#include "engine/base/bytes.h"
#include "engine/base/check.h"
#include "engine/base/digest.h"

namespace stele::api {

namespace {

using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

constexpr auto kTimeMax = 10s;
constexpr std::size_t kDetailBytesMax = 1'024;

UpcastFailure failure_of(std::string detail, std::string pointer = {}) {
  UpcastFailure failure;
  failure.detail = printable(std::string_view(detail).substr(0, kDetailBytesMax));
  failure.pointer = std::move(pointer);
  return failure;
}

void append_type(const EventTypeSchemas& schemas, std::string_view event_type, bool numbers, std::string& to) {
  const SchemaVersion* const aim = schemas.newest_active();
  if (aim == nullptr || aim->version == 1) return;
  std::string steps;
  for (std::uint32_t at = aim->version; at != 0; at = schemas.versions[at - 1].from) {
    const SchemaVersion& version = schemas.versions[at - 1];
    if (version.upcaster == nullptr) continue;
    put<std::uint32_t>(steps, at);
    steps += as_bytes(version.upcaster->identity);
  }
  if (steps.empty() && !numbers) return;
  put<std::uint16_t>(to, static_cast<std::uint16_t>(event_type.size()));
  to += event_type;
  put<std::uint32_t>(to, numbers ? aim->version : 0);
  put<std::uint32_t>(to, static_cast<std::uint32_t>(steps.size()));
  to += steps;
}

}  // namespace

RegisteredUpcasts::Aim RegisteredUpcasts::aim_of(const Record& record, SchemaVersionChoice choice) const {
  const RecordHeader& header = record.header();
  if (choice.kind == SchemaVersionChoice::Kind::Stored || header.kind != RecordKind::Event) return {};
  const auto& data = record.body().data;
  if (!data || data->empty()) return {};
  const EventTypeSchemas* const schemas = schemas_->find(header.event_type);
  if (schemas == nullptr) return {};
  const SchemaVersion* const wanted = choice.kind == SchemaVersionChoice::Kind::Newest
                                          ? schemas->newest_active()
                                          : schemas->newest_until(choice.version);
  if (wanted == nullptr || wanted->version <= header.schema_version) return {};
  return {schemas, wanted->version};
}

bool RegisteredUpcasts::concerns(const Record& record, SchemaVersionChoice choice) const {
  return aim_of(record, choice).schemas != nullptr;
}

bool RegisteredUpcasts::needs_worker(const Record& /*record*/, SchemaVersionChoice /*choice*/) const { return false; }

void RegisteredUpcasts::upcast(std::span<const Record* const> records, SchemaVersionChoice choice,
                               const UpcastTerms& terms, std::span<Upcast> results) const {
  STELE_CHECK(records.size() == results.size());
  const auto end = terms.deadline.value_or(Steady::now() + kTimeMax);
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < records.size(); ++i) {
    const Record& record = *records[i];
    const std::uint32_t stored = record.header().schema_version;
    Upcast& result = results[i];
    result = Upcast{.version = stored, .data = {}};
    const Aim aim = aim_of(record, choice);
    if (aim.schemas == nullptr) continue;
    const auto way = aim.schemas->way(stored, aim.version);
    if (!way) {
      result.failure = failure_of("No upcasters lead from version " + std::to_string(stored) + " to " +
                                  std::to_string(aim.version) + ".");
      continue;
    }
    std::optional<std::string> data;
    for (const Upcaster* const upcaster : *way) {
      if (Steady::now() > end) {
        result.failure = failure_of("There is no time left to upcast it: too much is read at once.");
        result.failure->passes = true;
        break;
      }
      auto made = upcaster->operations.apply(data ? std::string_view(*data) : *record.body().data);
      if (auto* const fault = std::get_if<UpcastFault>(&made)) {
        result.failure = failure_of("From version " + std::to_string(upcaster->from) + ": " + fault->detail,
                                    std::move(fault->pointer));
        break;
      }
      data = std::get<std::string>(std::move(made));
    }
    if (!result.failure && data) {
      bytes += data->size();
      if (bytes > kBatchBytesMax) result.failure = failure_of("Too much comes of the events that are read at once.");
    }
    if (result.failure) continue;
    result.version = aim.version;
    result.data = std::move(data);
  }
}

std::uint32_t RegisteredUpcasts::newest_version(std::string_view event_type) const {
  const EventTypeSchemas* const schemas = schemas_->find(event_type);
  const SchemaVersion* const newest = schemas == nullptr ? nullptr : schemas->newest();
  return newest == nullptr ? 1 : newest->version;
}

std::uint32_t RegisteredUpcasts::newest_version() const {
  std::uint32_t newest = 1;
  for (const auto& [event_type, schemas] : schemas_->types) newest = std::max(newest, newest_version(event_type));
  return newest;
}

void RegisteredUpcasts::append_identity(std::string_view event_type, bool numbers, std::string& to) const {
  const EventTypeSchemas* const schemas = schemas_->find(event_type);
  if (schemas != nullptr) append_type(*schemas, event_type, numbers, to);
}

void RegisteredUpcasts::append_identity(bool numbers, std::string& to) const {
  for (const auto& [event_type, schemas] : schemas_->types) append_type(*schemas, event_type, numbers, to);
}

std::shared_ptr<const UpcastChains> chains_with(const std::string& event_type, const EventTypeSchemas& known,
                                                std::shared_ptr<const Upcaster> upcaster) {
  auto type = std::make_shared<EventTypeSchemas>(known);
  const SchemaVersion* const before = known.newest();
  SchemaVersion& next = type->versions.emplace_back();
  next.version = static_cast<std::uint32_t>(type->versions.size());
  next.from = before == nullptr ? 0 : before->version;
  next.upcaster = std::move(upcaster);
  auto all = std::make_shared<RegisteredSchemas>();
  all->types.emplace(event_type, std::move(type));
  return std::make_shared<RegisteredUpcasts>(std::move(all));
}

}  // namespace stele::api
