#include "tests/support/raw_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace stele::tests {

namespace {

sockaddr_in address_of(const std::string& text, int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  if (::inet_pton(AF_INET, text.c_str(), &address.sin_addr) != 1) throw std::runtime_error("no address: " + text);
  return address;
}

[[noreturn]] void fail(int fd, const char* what) {
  const int error = errno;
  ::close(fd);
  throw std::runtime_error(std::string(what) + ": " + std::strerror(error));
}

std::size_t number_of(std::string_view digits, int base) {
  std::size_t value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  return value;
}

/// Takes a chunked body from `bytes`; false if it has not ended.
bool take_chunks(std::string_view& bytes, std::string& body) {
  for (;;) {
    const std::size_t line = bytes.find("\r\n");
    if (line == std::string_view::npos) return false;
    const std::size_t size = number_of(bytes.substr(0, line), 16);
    if (bytes.size() < line + 2 + size + 2) return false;
    body += bytes.substr(line + 2, size);
    bytes.remove_prefix(line + 2 + size + 2);
    if (size == 0) return true;
  }
}

}  // namespace

RawClient::RawClient(int port, const Options& options) : limit_(options.limit) {
  fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd_ < 0) throw std::runtime_error(std::string("socket: ") + std::strerror(errno));
  if (options.receive_buffer > 0) {
    (void)::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &options.receive_buffer, sizeof options.receive_buffer);
  }
  const int on = 1;
  (void)::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const sockaddr_in own = address_of(options.from, 0);
  if (::bind(fd_, reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0) fail(fd_, "bind");
  const sockaddr_in server = address_of("127.0.0.1", port);
  if (::connect(fd_, reinterpret_cast<const sockaddr*>(&server), sizeof server) != 0) fail(fd_, "connect");
}

RawClient::~RawClient() { close(); }

RawClient::RawClient(RawClient&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      limit_(other.limit_),
      received_(std::move(other.received_)),
      ended_(other.ended_) {}

bool RawClient::wait(short events) {
  pollfd waited{fd_, events, 0};
  const auto deadline = std::chrono::steady_clock::now() + limit_;
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    if (left <= 0) return false;
    const int ready = ::poll(&waited, 1, static_cast<int>(left));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

std::size_t RawClient::send_some(std::string_view bytes) {
  if (fd_ < 0) return 0;
  const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  return sent < 0 ? 0 : static_cast<std::size_t>(sent);
}

bool RawClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = fd_ < 0 ? -1 : ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    } else if (fd_ < 0 || (errno != EAGAIN && errno != EINTR) || !wait(POLLOUT)) {
      return false;
    }
  }
  return true;
}

bool RawClient::take() {
  std::array<char, 65536> bytes;
  for (;;) {
    if (ended_ || fd_ < 0) return false;
    const ssize_t got = ::recv(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (got > 0) {
      received_.append(bytes.data(), static_cast<std::size_t>(got));
      return true;
    }
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return false;
    ended_ = true;
  }
}

bool RawClient::poll() {
  while (take()) {
  }
  return !ended_;
}

bool RawClient::wait_for_end() {
  while (poll()) {
    if (!wait(POLLIN)) return false;
  }
  return true;
}

bool RawClient::wait_for(std::string_view text) {
  while (received_.find(text) == std::string::npos) {
    if (take()) continue;
    if (ended_ || !wait(POLLIN)) return false;
  }
  return true;
}

bool RawClient::wait_for_bytes(std::size_t size) {
  while (received_.size() < size) {
    if (take()) continue;
    if (ended_ || !wait(POLLIN)) return false;
  }
  return true;
}

void RawClient::half_close() { (void)::shutdown(fd_, SHUT_WR); }

void RawClient::reset() {
  const linger hard{1, 0};
  (void)::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  close();
}

void RawClient::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

std::vector<HttpResponse> split_answers(std::string_view bytes) {
  std::vector<HttpResponse> answers;
  while (!bytes.empty()) {
    HttpResponse& answer = answers.emplace_back();
    const std::size_t end = bytes.find("\r\n\r\n");
    if (end == std::string_view::npos || !bytes.starts_with("HTTP/1.")) {
      answer.error = "no header: " + std::string(bytes.substr(0, 200));
      return answers;
    }
    std::string_view head = bytes.substr(0, end + 2);
    bytes.remove_prefix(end + 4);
    answer.version = head[7] == '0' ? 10 : 11;
    answer.status = static_cast<int>(number_of(head.substr(9, 3), 10));
    for (head.remove_prefix(head.find("\r\n") + 2); !head.empty(); head.remove_prefix(head.find("\r\n") + 2)) {
      const std::string_view line = head.substr(0, head.find("\r\n"));
      const std::size_t colon = std::min(line.find(": "), line.size());
      answer.headers.emplace_back(line.substr(0, colon), line.substr(std::min(colon + 2, line.size())));
    }
    if (answer.header("Transfer-Encoding") == "chunked") {
      if (!take_chunks(bytes, answer.body)) {
        answer.error = "cut off";
        return answers;
      }
      continue;
    }
    const std::string length = answer.header("Content-Length");
    const std::size_t size = length.empty() ? 0 : number_of(length, 10);
    answer.body = bytes.substr(0, size);
    if (bytes.size() < size) {
      answer.error = "cut off";
      return answers;
    }
    bytes.remove_prefix(size);
  }
  return answers;
}

}  // namespace stele::tests
