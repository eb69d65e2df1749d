#include "tools/cli/progress.h"

#include <fmt/core.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

#include "tools/cli/output.h"
#include "tools/cli/quantity.h"

namespace stele::tools {

namespace {

constexpr std::chrono::milliseconds kRedraw{100};
constexpr std::chrono::seconds kLineEvery{5};

std::size_t stderr_columns() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace

std::string format_time_left(double seconds) {
  const auto whole = static_cast<std::uint64_t>(std::clamp(seconds, 0.0, 1e7) + 0.5);
  if (whole < 60) return fmt::format("{}s", whole);
  if (whole < 3600) return fmt::format("{}:{:02}", whole / 60, whole % 60);
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

Progress::Mode Progress::mode_for_stderr() { return ::isatty(STDERR_FILENO) != 0 ? Mode::Bar : Mode::Lines; }

Progress::Progress(Mode mode)
    : mode_(mode), next_draw_(start_ + (mode == Mode::Bar ? kRedraw : std::chrono::milliseconds(kLineEvery))) {}

Progress::~Progress() { clear(); }

void Progress::update(const State& state) {
  last_ = state;
  if (mode_ == Mode::Quiet || Clock::now() < next_draw_) return;
  next_draw_ = Clock::now() + (mode_ == Mode::Bar ? kRedraw : std::chrono::milliseconds(kLineEvery));
  if (mode_ == Mode::Lines) {
    say("{}\n", text_of(state, false));
    return;
  }
  say("\r\x1b[K{}", text_of(state, true));
  drawn_ = true;
}

void Progress::print(const std::string& line) {
  clear();
  say("{}\n", line);
}

void Progress::clear() {
  if (drawn_) say("\r\x1b[K");
  drawn_ = false;
}

std::chrono::duration<double> Progress::elapsed() const { return Clock::now() - start_; }

std::string Progress::text_of(const State& state, bool with_bar) const {
  const double seconds = std::max(elapsed().count(), 1e-3);
  std::string text =
      fmt::format("{} events, {}/s", with_thousands(state.events),
                  with_thousands(static_cast<std::uint64_t>(static_cast<double>(state.events) / seconds)));
  if (!state.bytes_total || *state.bytes_total == 0)
    return text + fmt::format(", {} so far", format_time_left(seconds));
  const double done = std::clamp(static_cast<double>(state.bytes) / static_cast<double>(*state.bytes_total), 0.0, 1.0);
  text = fmt::format("{:3.0f}%  {}", done * 100, text);
  if (done > 0.01) text += fmt::format(", {} left", format_time_left(seconds / done - seconds));
  if (!with_bar) return text;
  const std::size_t columns = stderr_columns();
  if (columns < text.size() + 14) return text.substr(0, columns - 1);
  const std::size_t width = std::min<std::size_t>(columns - text.size() - 4, 40);
  const auto filled = static_cast<std::size_t>(done * static_cast<double>(width));
  return "[" + std::string(filled, '#') + std::string(width - filled, '.') + "] " + text;
}

}  // namespace stele::tools
