#include "tests/support/redis_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <random>
#include <stdexcept>
#include <utility>

#include "tests/support/eventually.h"

namespace stele::tests {

int free_port() {
  std::random_device random;
  for (int tries = 0; tries < 1'000; ++tries) {
    // Below those that the kernel gives out by itself, of which another test may be given the same meanwhile.
    const int port = 20'000 + static_cast<int>(random() % 12'000);
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    const bool found = fd >= 0 && ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    if (fd >= 0) ::close(fd);
    if (found) return port;
  }
  throw std::runtime_error("there is no free port");
}

RedisServer::RedisServer(std::vector<std::string> arguments) : arguments_(std::move(arguments)), port_(free_port()) {
  start();
}

void RedisServer::kill() {
  process_->signal(SIGKILL);
  process_->wait();
}

void RedisServer::start() {
  std::vector<std::string> command{"/usr/bin/redis-server",
                                   "--port",
                                   std::to_string(port_),
                                   "--bind",
                                   "127.0.0.1",
                                   "--save",
                                   "",
                                   "--appendonly",
                                   "no",
                                   "--dir",
                                   folder_.path()};
  command.insert(command.end(), arguments_.begin(), arguments_.end());
  process_ = ChildProcess::start(command);
  // With a password it says no, which is an answer.
  const bool answers = eventually([this] {
    if (!process_->running()) return true;
    const std::string answer = ask({"PING"});
    return answer == "PONG" || answer.starts_with("NOAUTH");
  });
  if (!answers || !process_->running()) throw std::runtime_error("redis-server does not start: " + process_->out());
}

void RedisServer::hang() { process_->signal(SIGSTOP); }

void RedisServer::go_on() { process_->signal(SIGCONT); }

std::string RedisServer::ask(const std::vector<std::string>& arguments) const {
  std::vector<std::string> command{"/usr/bin/redis-cli", "-p", std::to_string(port_)};
  command.insert(command.end(), arguments.begin(), arguments.end());
  std::string out = run_process(command).out;
  while (out.ends_with('\n')) out.pop_back();
  return out;
}

}  // namespace stele::tests
