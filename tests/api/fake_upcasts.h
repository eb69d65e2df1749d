#pragma once
// Upcasters without schemas: every event has a second version, which a script has to make.

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "api/records/event_upcasts.h"

namespace stele::api::test {

/// Gives events of version 1 the data `{"up":true}` and version 2; those of the aggregate `broken` fail.
class FakeUpcasts final : public EventUpcasts {
 public:
  std::atomic<bool> away{false};         ///< what runs scripts cannot be had
  std::atomic<std::uint64_t> calls{0};   ///< of upcast()
  std::atomic<std::uint64_t> upcast{0};  ///< events

  [[nodiscard]] std::shared_ptr<const UpcastChains> chains() const override { return chains_; }

 private:
  class Chains final : public UpcastChains {
   public:
    explicit Chains(FakeUpcasts& of) : of_(of) {}
    [[nodiscard]] bool concerns(const Record& record, SchemaVersionChoice choice) const override {
      return record.header().schema_version == 1 && record.header().kind == RecordKind::Event &&
             (choice.kind == SchemaVersionChoice::Kind::Newest || choice.version >= 2);
    }
    [[nodiscard]] bool needs_worker(const Record& record, SchemaVersionChoice choice) const override {
      return concerns(record, choice);
    }
    void upcast(std::span<const Record* const> records, SchemaVersionChoice choice, const UpcastTerms& /*terms*/,
                std::span<Upcast> results) const override {
      ++of_.calls;
      for (std::size_t i = 0; i < records.size(); ++i) {
        results[i].version = records[i]->header().schema_version;
        if (!concerns(*records[i], choice)) continue;
        ++of_.upcast;
        if (of_.away) {
          results[i].failure = UpcastFailure{.detail = "No worker is free.", .passes = true, .slug = "unavailable"};
        } else if (records[i]->header().aggregate_id == "broken") {
          results[i].failure = UpcastFailure{.detail = "It threw.", .line = 3};
        } else {
          results[i].version = 2;
          results[i].data = R"({"up":true})";
        }
      }
    }
    [[nodiscard]] std::uint32_t newest_version(std::string_view /*event_type*/) const override { return 2; }
    [[nodiscard]] std::uint32_t newest_version() const override { return 2; }
    void append_identity(std::string_view /*event_type*/, bool /*numbers*/, std::string& to) const override {
      to += "fake";
    }
    void append_identity(bool /*numbers*/, std::string& to) const override { to += "fake"; }

   private:
    FakeUpcasts& of_;
  };

  const std::shared_ptr<const UpcastChains> chains_ = std::make_shared<const Chains>(*this);
};

}  // namespace stele::api::test
