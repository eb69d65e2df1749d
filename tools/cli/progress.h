#pragma once
// How far a long command is: a bar that is redrawn on a terminal, a plain line now and then elsewhere. Writes to
// stderr.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace stele::tools {

/// One thread.
class Progress {
 public:
  enum class Mode { Quiet, Lines, Bar };
  /// Bar if stderr is a terminal, else Lines.
  [[nodiscard]] static Mode mode_for_stderr();

  explicit Progress(Mode mode);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  struct State {
    std::uint64_t events = 0;
    std::uint64_t bytes = 0;
    std::optional<std::uint64_t> bytes_total;
  };
  /// Draws if it is time to.
  void update(const State& state);
  /// Prints a line of its own, above the bar if there is one.
  void print(const std::string& line);
  /// Takes the bar away.
  void clear();

  [[nodiscard]] std::chrono::duration<double> elapsed() const;

 private:
  [[nodiscard]] std::string text_of(const State& state, bool with_bar) const;

  using Clock = std::chrono::steady_clock;
  Mode mode_;
  Clock::time_point start_ = Clock::now();
  Clock::time_point next_draw_;
  bool drawn_ = false;
  State last_{};
};

/// `7s`, `1:05` or `2:10:00`.
[[nodiscard]] std::string format_time_left(double seconds);

}  // namespace stele::tools
