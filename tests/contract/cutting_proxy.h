#pragma once
// Stands between a client and a server as a bad line does: passes bytes on, and drops connections in the middle.

#include <sys/socket.h>

#include <atomic>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <utility>
#include <vector>

namespace stele::tests {

class CuttingProxy {
 public:
  /// The first connections are dropped after about so many bytes of the server's, in the middle of a line; the others
  /// live as long as both ends want.
  CuttingProxy(int port, std::vector<std::size_t> cuts) : upstream_(port), cuts_(std::move(cuts)) {
    accepting_ = std::thread([this] { accept(); });
  }
  ~CuttingProxy() {
    ::shutdown(acceptor_.native_handle(), SHUT_RDWR);
    accepting_.join();
    {
      const std::lock_guard lock(mutex_);
      for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
    }
    for (std::thread& thread : threads_) thread.join();
  }
  CuttingProxy(const CuttingProxy&) = delete;
  CuttingProxy& operator=(const CuttingProxy&) = delete;

  [[nodiscard]] int port() const { return acceptor_.local_endpoint().port(); }

  std::atomic<int> connections{0};
  std::atomic<int> cut{0};

 private:
  using Tcp = boost::asio::ip::tcp;

  void accept() {
    for (std::size_t number = 0;; ++number) {
      boost::system::error_code ec;
      auto client = std::make_shared<Tcp::socket>(io_);
      acceptor_.accept(*client, ec);
      if (ec) return;
      ++connections;
      auto server = std::make_shared<Tcp::socket>(io_);
      server->connect({boost::asio::ip::address_v4::loopback(), static_cast<std::uint16_t>(upstream_)}, ec);
      if (ec) continue;  // and so is the client's
      const std::size_t limit = number < cuts_.size() ? cuts_[number] : 0;
      const std::lock_guard lock(mutex_);
      open_.insert({client->native_handle(), server->native_handle()});
      threads_.emplace_back([this, client, server, limit] { serve(*client, *server, limit); });
    }
  }
  void serve(Tcp::socket& client, Tcp::socket& server, std::size_t limit) {
    std::thread there([&] { pass_on(client, server, 0); });
    if (pass_on(server, client, limit)) ++cut;
    there.join();
    const std::lock_guard lock(mutex_);
    open_.erase(client.native_handle());
    open_.erase(server.native_handle());
    boost::system::error_code ignored;
    client.close(ignored);
    server.close(ignored);
  }
  /// Until one of them ends, or so many bytes were passed on (0 = no limit); then both end. True: it was the limit.
  static bool pass_on(Tcp::socket& from, Tcp::socket& to, std::size_t limit) {
    char piece[4096];
    bool is_cut = false;
    for (std::size_t passed = 0; !is_cut;) {
      boost::system::error_code ec;
      std::size_t bytes = from.read_some(boost::asio::buffer(piece), ec);
      if (ec) break;
      if (limit != 0 && passed + bytes >= limit) {
        is_cut = true;
        bytes = limit - passed;
        while (bytes > 0 && (piece[bytes - 1] == '\n' || piece[bytes - 1] == '\r')) --bytes;
      }
      boost::asio::write(to, boost::asio::buffer(piece, bytes), ec);
      if (ec) break;
      passed += bytes;
    }
    ::shutdown(from.native_handle(), SHUT_RDWR);
    ::shutdown(to.native_handle(), SHUT_RDWR);
    return is_cut;
  }

  const int upstream_;
  const std::vector<std::size_t> cuts_;
  boost::asio::io_context io_;
  Tcp::acceptor acceptor_{io_, {boost::asio::ip::address_v4::loopback(), 0}};
  std::mutex mutex_;
  std::set<int> open_;
  std::vector<std::thread> threads_;
  std::thread accepting_;
};

}  // namespace stele::tests
