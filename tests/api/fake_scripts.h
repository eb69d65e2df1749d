#pragma once
// Scripts without a process: what they do is told by their source.

#include <atomic>
#include <charconv>
#include <functional>
#include <memory>
#include <optional>
#include <span>
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
  [[nodiscard]] std::variant<std::unique_ptr<UpcastScripts>, UpcastFailure> begin_upcasts(
      const UpcastScriptLimits& /*limits*/) override {
    ++upcasts_begun;
    if (upcasts_failing) return *upcasts_failing;
    return std::make_unique<FakeUpcasts>(*this);
  }
  [[nodiscard]] ScriptMetrics metrics() const override { return {.workers = 1}; }
  std::uint64_t retire() override { return ++retired; }
  [[nodiscard]] bool has_retired(std::uint64_t) const override { return !busy; }

  std::string why_not;
  std::string engine = "fake/1";
  std::optional<FoldFailure> failing;  ///< what begin() gives
  std::optional<UpcastFailure> upcasts_failing;
  std::atomic<int> upcasts_begun{0};
  std::atomic<int> deaths_left{0};  ///< of processes, under `dies`
  std::function<void()> on_begin;
  std::atomic<int> begun{0};
  std::atomic<std::uint64_t> retired{0};
  std::atomic<bool> busy{false};
  std::atomic<std::uint64_t> folded{0};

 private:
  /// `wrap` makes an object with the data as its member `was`, `broken` is no script, `ends` takes the process along
  /// with the data 13 by a limit, and `dies` by none, and others throw.
  class FakeUpcasts final : public UpcastScripts {
   public:
    explicit FakeUpcasts(FakeScripts& scripts) : scripts_(scripts) {}
    [[nodiscard]] std::optional<UpcastFailure> check(std::string_view source) override {
      if (source != "broken") return std::nullopt;
      return UpcastFailure{
          .detail = "The upcaster is no function: unexpected token", .pointer = {}, .line = 3, .column = 7};
    }
    void run(std::string_view source, std::span<Task> tasks) override {
      for (Task& task : tasks) {
        if (source == "ends" && task.data == "13") {
          task.failure = UpcastFailure{
              .detail = "The upcaster went beyond its limit (call-time).", .pointer = {}, .line = {}, .column = {}};
          usable_ = false;
          return;
        }
        if (source == "dies" && task.data == "13" && scripts_.deaths_left > 0) {
          --scripts_.deaths_left;
          task.failure = UpcastFailure{.detail = "The process that ran the upcaster ended.",
                                       .pointer = {},
                                       .line = {},
                                       .column = {},
                                       .passes = true,
                                       .slug = kWorkerDied};
          usable_ = false;
          return;
        }
        if (source == "wrap" || source == "ends" || source == "dies") {
          task.result = R"({"was":)" + std::string(task.data) + "}";
        } else {
          task.failure = UpcastFailure{.detail = "The upcaster threw: no", .pointer = {}, .line = 1, .column = 2};
        }
      }
    }
    [[nodiscard]] bool usable() const override { return usable_; }

   private:
    FakeScripts& scripts_;
    bool usable_ = true;
  };

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
