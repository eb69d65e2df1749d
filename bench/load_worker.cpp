#include "bench/load_worker.h"

#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <system_error>
#include <utility>

namespace stele::bench {
namespace {

constexpr std::size_t kReceiveBytes = 256 * 1024;
/// Room before the body for the rest of the header: digits of Content-Length and the empty line.
constexpr std::size_t kHeaderTailBytes = 32;
constexpr int kFailuresInARowMax = 1000;

[[noreturn]] void throw_errno(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

std::int64_t unix_micros() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

std::uint64_t steady_nanos() {
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}

LoadWorker::LoadWorker(LoadTarget target, const EventPoolOptions& events, std::size_t connections, std::size_t batch)
    : target_(std::move(target)),
      header_start_("POST " + target_.path + " HTTP/1.1\r\nHost: " + target_.host +
                    "\r\nContent-Type: application/json\r\nContent-Length: "),
      pool_(events),
      batch_(batch),
      connections_(connections),
      receive_buffer_(kReceiveBytes),
      result_(std::make_unique<LoadResult>()) {
  const std::size_t events_max = batch == 0 ? 1 : batch;
  const std::size_t body_bytes_max = events_max * (pool_.event_bytes_max() + 1) + 2;
  for (Connection& connection : connections_) {
    connection.request.resize(header_start_.size() + kHeaderTailBytes + body_bytes_max);
    std::memcpy(connection.request.data(), header_start_.data(), header_start_.size());
  }
}

LoadWorker::~LoadWorker() {
  for (Connection& connection : connections_) close(connection);
  if (epoll_ >= 0) ::close(epoll_);
}

void LoadWorker::connect_all() {
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ < 0) throw_errno("epoll_create1");
  for (Connection& connection : connections_) open(connection);
}

void LoadWorker::open(Connection& connection) {
  connection.reader.reset();
  connection.socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connection.socket < 0) throw_errno("socket");
  if (::connect(connection.socket, reinterpret_cast<const sockaddr*>(&target_.address), sizeof target_.address) != 0) {
    const int error = errno;
    close(connection);
    errno = error;
    throw_errno("connect");
  }
  const int on = 1;
  ::setsockopt(connection.socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  // Registered once, edge-triggered for both directions, so that a request costs no epoll_ctl. Reads and writes pass
  // MSG_DONTWAIT.
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = &connection;
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.socket, &event) != 0) throw_errno("epoll_ctl");
}

void LoadWorker::close(Connection& connection) {
  if (connection.socket >= 0) ::close(connection.socket);
  connection.socket = -1;
}

void LoadWorker::run(const LoadSchedule& schedule) {
  schedule_ = schedule;
  pool_.set_time(unix_micros());
  for (Connection& connection : connections_) begin_request(connection, steady_nanos());

  std::array<epoll_event, 512> events;
  while (failures_in_a_row_ < kFailuresInARowMax) {
    const std::uint64_t now = steady_nanos();
    if (now >= schedule_.end) return;
    const int wait_ms = static_cast<int>((schedule_.end - now) / 1'000'000 + 1);
    const int ready = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), wait_ms);
    if (ready < 0 && errno != EINTR) throw_errno("epoll_wait");
    if (ready > 0) pool_.set_time(unix_micros());
    for (int i = 0; i < ready; ++i) {
      auto& connection = *static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr);
      if (connection.sent < connection.end) send_rest(connection);
      receive(connection);
    }
  }
}

void LoadWorker::begin_request(Connection& connection, std::uint64_t now) {
  char* const start = connection.request.data() + header_start_.size();
  char* const body = start + kHeaderTailBytes;
  char* to = body;
  if (batch_ == 0) {
    to += pool_.write_event(to);
  } else {
    *to++ = '[';
    for (std::size_t i = 0; i < batch_; ++i) {
      if (i != 0) *to++ = ',';
      to += pool_.write_event(to);
    }
    *to++ = ']';
  }
  const auto length = static_cast<std::size_t>(to - body);
  char* tail = std::to_chars(start, body, length).ptr;
  std::memcpy(tail, "\r\n\r\n", 4);
  tail += 4;
  // The body moves down behind its header: a few hundred bytes, cheaper than a second iovec in the kernel.
  std::memmove(tail, body, length);
  connection.sent = 0;
  connection.end = static_cast<std::size_t>(tail - connection.request.data()) + length;
  connection.started = now;
  send_rest(connection);
}

void LoadWorker::send_rest(Connection& connection) {
  while (connection.sent < connection.end) {
    const ssize_t n = ::send(connection.socket, connection.request.data() + connection.sent,
                             connection.end - connection.sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n >= 0) {
      connection.sent += static_cast<std::size_t>(n);
    } else if (errno != EINTR) {
      // Anything but a full socket buffer is reported by the read that follows.
      return;
    }
  }
}

void LoadWorker::receive(Connection& connection) {
  while (true) {
    const ssize_t n = ::recv(connection.socket, receive_buffer_.data(), receive_buffer_.size(), MSG_DONTWAIT);
    if (n < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) reopen(connection, std::generic_category().message(errno));
      return;
    }
    if (n == 0) return reopen(connection, "connection closed by the server");
    const auto size = static_cast<std::size_t>(n);
    switch (connection.reader.feed({receive_buffer_.data(), size})) {
      case ResponseReader::Progress::NeedMore:
        break;
      case ResponseReader::Progress::Broken:
        return reopen(connection, "response is not understood");
      case ResponseReader::Progress::Done:
        finish_response(connection);
        break;
    }
    // A short read means the socket is empty, and new bytes would be a new edge. A hang-up that came with them is seen
    // after the next request is sent.
    if (size < receive_buffer_.size()) return;
  }
}

void LoadWorker::finish_response(Connection& connection) {
  const std::uint64_t now = steady_nanos();
  const int status = connection.reader.status();
  if (now >= schedule_.measure_from && now < schedule_.end) {
    ++result_->by_status[static_cast<std::size_t>(status)];
    result_->bytes_sent += connection.end;
    if (status / 100 == 2) result_->latency.record(now - connection.started);
  }
  if (status / 100 != 2 && result_->first_error.empty()) {
    result_->first_error = std::to_string(status) + " " + connection.reader.error_body();
  }
  failures_in_a_row_ = 0;
  const bool keep_alive = connection.reader.keep_alive();
  connection.reader.reset();
  if (now >= schedule_.end) return;
  if (keep_alive) {
    begin_request(connection, now);
  } else {
    reopen(connection, {});
  }
}

void LoadWorker::reopen(Connection& connection, const std::string& why) {
  const std::uint64_t now = steady_nanos();
  if (now >= schedule_.end) return;
  if (!why.empty()) {
    if (now >= schedule_.measure_from) ++result_->socket_errors;
    if (result_->first_error.empty()) result_->first_error = why;
    ++failures_in_a_row_;
  }
  close(connection);
  while (failures_in_a_row_ < kFailuresInARowMax && steady_nanos() < schedule_.end) {
    try {
      open(connection);
    } catch (const std::system_error& error) {
      if (result_->first_error.empty()) result_->first_error = error.what();
      ++result_->socket_errors;
      ++failures_in_a_row_;
      ::usleep(1000);
      continue;
    }
    begin_request(connection, now);
    return;
  }
}

}  // namespace stele::bench
