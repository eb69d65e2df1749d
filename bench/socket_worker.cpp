#include "bench/socket_worker.h"

#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

namespace stele::bench {
namespace {

constexpr std::size_t kReceiveBytes = 256 * 1024;
constexpr int kFailuresInARowMax = 1000;

[[noreturn]] void throw_errno(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

}  // namespace

SocketWorker::SocketWorker(const sockaddr_in& address, std::unique_ptr<Protocol> protocol, std::size_t connections)
    : address_(address),
      protocol_(std::move(protocol)),
      connections_(connections),
      receive_buffer_(kReceiveBytes),
      result_(std::make_unique<LoadResult>()) {
  for (std::size_t i = 0; i < connections; ++i) {
    Connection& connection = connections_[i];
    connection.number = i;
    connection.room.resize(protocol_->request_bytes_max());
  }
}

SocketWorker::~SocketWorker() {
  for (Connection& connection : connections_) close(connection);
  if (epoll_ >= 0) ::close(epoll_);
}

void SocketWorker::connect_all() {
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ < 0) throw_errno("epoll_create1");
  for (Connection& connection : connections_) open(connection);
}

void SocketWorker::open(Connection& connection) {
  connection.reader = protocol_->make_reader();
  connection.unsent = {};
  connection.socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connection.socket < 0) throw_errno("socket");
  if (::connect(connection.socket, reinterpret_cast<const sockaddr*>(&address_), sizeof address_) != 0) {
    const int error = errno;
    close(connection);
    errno = error;
    throw_errno("connect");
  }
  const int on = 1;
  ::setsockopt(connection.socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const std::string greeting = protocol_->greeting(connection.number);
  if (::send(connection.socket, greeting.data(), greeting.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(greeting.size())) {
    throw_errno("send");
  }
  // Registered once, edge-triggered for both directions, so that a request costs no epoll_ctl. Reads and writes pass
  // MSG_DONTWAIT.
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = &connection;
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.socket, &event) != 0) throw_errno("epoll_ctl");
}

void SocketWorker::close(Connection& connection) {
  if (connection.socket >= 0) ::close(connection.socket);
  connection.socket = -1;
}

void SocketWorker::run(const LoadSchedule& schedule) {
  schedule_ = schedule;
  protocol_->set_time(unix_micros());
  for (Connection& connection : connections_) begin_request(connection, steady_nanos());

  std::array<epoll_event, 512> events;
  while (failures_in_a_row_ < kFailuresInARowMax) {
    const std::uint64_t now = steady_nanos();
    if (now >= schedule_.end) return;
    const int wait_ms = static_cast<int>((schedule_.end - now) / 1'000'000 + 1);
    const int ready = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), wait_ms);
    if (ready < 0 && errno != EINTR) throw_errno("epoll_wait");
    if (ready > 0) protocol_->set_time(unix_micros());
    for (int i = 0; i < ready; ++i) {
      auto& connection = *static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr);
      send_rest(connection);
      receive(connection);
    }
  }
}

void SocketWorker::begin_request(Connection& connection, std::uint64_t now) {
  connection.unsent = protocol_->write_request(connection.number, connection.room);
  connection.request_bytes = connection.unsent.size();
  connection.started = now;
  send_rest(connection);
}

void SocketWorker::send_rest(Connection& connection) {
  while (!connection.unsent.empty()) {
    const ssize_t n =
        ::send(connection.socket, connection.unsent.data(), connection.unsent.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n >= 0) {
      connection.unsent.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno != EINTR) {
      // Anything but a full socket buffer is reported by the read that follows.
      return;
    }
  }
}

void SocketWorker::receive(Connection& connection) {
  while (true) {
    const ssize_t n = ::recv(connection.socket, receive_buffer_.data(), receive_buffer_.size(), MSG_DONTWAIT);
    if (n < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) reopen(connection, std::generic_category().message(errno));
      return;
    }
    if (n == 0) return reopen(connection, "connection closed by the server");
    const auto size = static_cast<std::size_t>(n);
    result_->bytes_received += size;
    switch (connection.reader->feed({receive_buffer_.data(), size})) {
      case ReplyReader::Progress::NeedMore:
        break;
      case ReplyReader::Progress::Broken:
        return reopen(connection, "reply is not understood");
      case ReplyReader::Progress::Done:
        finish_reply(connection);
        break;
    }
    // A short read means the socket is empty, and new bytes would be a new edge. A hang-up that came with them is seen
    // after the next request is sent.
    if (size < receive_buffer_.size()) return;
  }
}

void SocketWorker::finish_reply(Connection& connection) {
  const std::uint64_t now = steady_nanos();
  const int status = connection.reader->status();
  if (now >= schedule_.measure_from && now < schedule_.end) {
    ++result_->by_status[static_cast<std::size_t>(status)];
    result_->bytes_sent += connection.request_bytes;
    if (status / 100 == 2) result_->latency.record(now - connection.started);
  }
  if (status / 100 != 2 && result_->first_error.empty()) {
    result_->first_error = std::to_string(status) + " " + connection.reader->error_text();
  }
  failures_in_a_row_ = 0;
  const bool keep_alive = connection.reader->keep_alive();
  connection.reader->reset();
  if (now >= schedule_.end) return;
  if (keep_alive) {
    begin_request(connection, now);
  } else {
    reopen(connection, {});
  }
}

void SocketWorker::reopen(Connection& connection, const std::string& why) {
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
