#include "engine/commit/group_writer.h"

#include <sys/prctl.h>

namespace stele {

GroupWriter::GroupWriter(LogWriter& writer, std::function<void()> done)
    : writer_(writer), done_(std::move(done)), thread_([this] { run(); }) {}

GroupWriter::~GroupWriter() {
  if (group_ != nullptr) (void)finish();
  change(State::Ending);
  thread_.join();
}

void GroupWriter::start(Group& group) {
  STELE_CHECK(group_ == nullptr && !group.empty());
  group_ = &group;
  change(State::Writing);
}

/// libstdc++ 12 wakes nobody where it sees nobody waiting, and looks at that with a load that a release store may come
/// after: who is about to wait would miss it and sleep.
void GroupWriter::change(State to) {
  state_.store(to, std::memory_order_seq_cst);
  state_.notify_all();
}

Status GroupWriter::finish() {
  STELE_CHECK(group_ != nullptr);
  state_.wait(State::Writing, std::memory_order_acquire);
  group_ = nullptr;
  state_.store(State::Idle, std::memory_order_relaxed);
  return std::move(result_);
}

Status GroupWriter::write(LogWriter& writer, Group& group) {
  return writer.append(group.frame, group.offsets, group.headers.front().time, group.headers.back().time);
}

void GroupWriter::run() {
  (void)prctl(PR_SET_NAME, "log writer", 0UL, 0UL, 0UL);
  for (;;) {
    State state = state_.load(std::memory_order_acquire);
    while (state == State::Idle || state == State::Done) {
      state_.wait(state, std::memory_order_acquire);
      state = state_.load(std::memory_order_acquire);
    }
    if (state == State::Ending) return;
    result_ = write(writer_, *group_);
    change(State::Done);
    done_();
  }
}

}  // namespace stele
