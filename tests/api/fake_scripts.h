#pragma once
// Scripts without a process: what they do is told by their source.

#include <atomic>
#include <charconv>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "api/replay/script_host.h"

namespace stele::api::test {

/// Its states are numbers: how many events were folded.
///   count       folds all events
///   closure     counts on its own, whatever state it is given
///   throws N    throws at the event with the sequence number N
///   broken      is no script
class FakeScripts final : public ScriptHost {
 public:
  [[nodiscard]] std::string unavailable() const override { return why_not; }
  [[nodiscard]] std::string engine_id() const override { return engine; }
  [[nodiscard]] std::variant<std::unique_ptr<Fold>, FoldFailure> begin(const ScriptStart& start) override {
    ++begun;
    if (failing) return *failing;
    if (start.source == "broken") {
      return FoldFailure{.kind = FoldFailure::Kind::Syntax, .message = "unexpected token", .line = 3, .column = 7};
    }
    if (on_begin) on_begin();
    return std::make_unique<CountingFold>(std::string(start.source), number_in(start.state), *this);
  }
  [[nodiscard]] ScriptMetrics metrics() const override { return {.workers = 1}; }
  std::uint64_t retire() override { return ++retired; }
  [[nodiscard]] bool has_retired(std::uint64_t) const override { return !busy; }

  std::string why_not;
  std::string engine = "fake/1";
  std::optional<FoldFailure> failing;  ///< what begin() gives
  std::function<void()> on_begin;
  std::atomic<int> begun{0};
  std::atomic<std::uint64_t> retired{0};
  std::atomic<bool> busy{false};
  std::atomic<std::uint64_t> folded{0};

 private:
  static std::uint64_t number_in(const std::optional<std::string_view>& state) {
    std::uint64_t number = 0;
    if (state) std::from_chars(state->data(), state->data() + state->size(), number);
    return number;
  }

  class CountingFold final : public Fold {
   public:
    CountingFold(std::string source, std::uint64_t from, FakeScripts& scripts)
        : source_(std::move(source)), count_(source_ == "closure" ? 0 : from), scripts_(scripts) {}
    using Fold::apply;
    [[nodiscard]] std::optional<FoldFailure> apply(const Record& event, const Upcast* /*upcast*/) override {
      if (source_ == "throws " + std::to_string(event.header().sequence.value())) {
        return FoldFailure{
            .kind = FoldFailure::Kind::Threw, .message = "no", .line = 1, .column = 2, .event = applied_};
      }
      ++count_;
      ++applied_;
      ++scripts_.folded;
      return std::nullopt;
    }
    [[nodiscard]] std::variant<FoldState, FoldFailure> state() override {
      return FoldState{.json = std::to_string(count_), .applied = applied_, .ignored = 0, .redacted = 0};
    }

   private:
    const std::string source_;
    std::uint64_t count_;
    std::uint64_t applied_ = 0;
    FakeScripts& scripts_;
  };
};

}  // namespace stele::api::test
