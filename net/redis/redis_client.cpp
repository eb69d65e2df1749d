#include "net/redis/redis_client.h"

#include <algorithm>
#include <array>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <deque>
#include <mutex>
#include <random>
#include <utility>
#include <vector>

#include "engine/base/clock.h"
#include "net/http/localhost.h"
#include "net/log/log.h"
#include "net/redis/reconnect_pause.h"
#include "net/tls/socket.h"

namespace stele::net {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using std::chrono::milliseconds;
using Steady = std::chrono::steady_clock;
using Timer = asio::basic_waitable_timer<Steady, asio::wait_traits<Steady>, Executor>;

namespace {

constexpr std::size_t kReplyReadBytes = 64U << 10;

/// One, or several that were sent as one.
struct Commands {
  RedisClient::Done done;
  std::size_t bytes = 0;
  std::size_t left = 0;  ///< without an answer
  Steady::time_point deadline;
};

}  // namespace

/// What outlives a connection. Its members without a lock belong to the context's thread.
struct RedisClient::Core : std::enable_shared_from_this<Core> {
  Core(asio::io_context& io, RedisUrl u, RedisClientOptions o)
      : context(io),
        url(std::move(u)),
        options(std::move(o)),
        retry_timer(io.get_executor()),
        pause(options.retry_first, options.retry_last) {
    seen.since = system_clock().now();
  }

  [[nodiscard]] bool send(std::string_view bytes, std::size_t count, Done done);
  void connect();
  void lost(const std::string& why);
  void connected();
  /// Takes away what has no answer, and says so.
  void fail_commands();

  asio::io_context& context;
  const RedisUrl url;
  const RedisClientOptions options;
  std::shared_ptr<Connection> connection;
  Timer retry_timer;
  ReconnectPause pause;
  std::minstd_rand chance{std::random_device{}()};
  bool told_away = false;

  mutable std::mutex mutex;
  RedisClientState seen;
  std::string outbox;             // taken, and not handed to the socket yet
  std::deque<Commands> commands;  // without all answers, in the order they are sent
  std::size_t commands_left = 0;  // in all of them
  std::size_t command_bytes = 0;
  bool flush_posted = false;
};

/// One attempt, and the connection that it becomes. Whatever arrives for one that was given up finds it closed.
class RedisClient::Connection : public std::enable_shared_from_this<Connection> {
 public:
  explicit Connection(const std::shared_ptr<Core>& core)
      : core_(*core),
        owner_(core),
        resolver_(core->context.get_executor()),
        socket_(core->context.get_executor()),
        timer_(core->context.get_executor()),
        reader_(core->options.reply_bytes_max, core->options.list_items_max) {}

  void begin() {
    deadline_ = Steady::now() + core_.options.connect_time;
    watch();
    if (is_localhost(core_.url.host)) {
      for (const asio::ip::address& address : localhost_addresses()) places_.emplace_back(address, core_.url.port);
      return connect();
    }
    resolver_.async_resolve(core_.url.host, std::to_string(core_.url.port),
                            [self = shared_from_this()](error_code ec, const tcp::resolver::results_type& found) {
                              if (self->closed_) return;
                              if (ec) return self->fail("its name cannot be resolved: " + ec.message());
                              self->places_.assign(found.begin(), found.end());
                              self->connect();
                            });
  }

  void flush() {
    if (closed_ || !ready_ || writing_) return;
    {
      const std::lock_guard lock(core_.mutex);
      core_.flush_posted = false;
      if (core_.outbox.empty()) return;
      out_.clear();
      out_.swap(core_.outbox);
    }
    write();
  }

  void close() {
    if (std::exchange(closed_, true)) return;
    error_code ignored;
    resolver_.cancel();
    timer_.cancel();
    socket_.close(ignored);
  }

 private:
  void connect() {
    asio::async_connect(socket_, places_, [self = shared_from_this()](error_code ec, const tcp::endpoint&) {
      if (self->closed_) return;
      if (ec) return self->fail("cannot connect: " + ec.message());
      self->introduce();
    });
  }

  void fail(const std::string& why) {
    if (closed_) return;
    close();
    owner_->lost(why);
  }

  /// A look at the clock a few times within each deadline, rather than a timer for each command.
  void watch() {
    timer_.expires_after(std::min(milliseconds{250}, core_.options.answer_time / 4 + milliseconds{1}));
    timer_.async_wait([self = shared_from_this()](error_code ec) {
      if (!ec && !self->closed_) self->look_at_clock();
    });
  }

  void look_at_clock() {
    const auto now = Steady::now();
    if (!ready_) {
      if (now > deadline_) return fail("it does not answer in time");
      return watch();
    }
    bool late = false, idle = false;
    {
      const std::lock_guard lock(core_.mutex);
      idle = core_.commands.empty();
      late = !idle && now > core_.commands.front().deadline;
    }
    if (late) return fail("it does not answer in time");
    if (idle && now - heard_ > core_.options.ping_interval) {
      heard_ = now;
      static_cast<void>(owner_->send(redis_command({"PING"}), 1, [](const RedisReply*) {}));
    }
    watch();
  }

  /// Who one is and where, and whether Redis would answer commands at all.
  void introduce() {
    error_code ignored;
    socket_.set_option(tcp::no_delay(true), ignored);
    const RedisUrl& url = core_.url;
    const auto say = [this](const char* what, std::initializer_list<std::string_view> command) {
      out_ += redis_command(command);
      introduction_.push_back(what);
    };
    if (!url.password.empty() && !url.user.empty()) say("AUTH", {"AUTH", url.user, url.password});
    if (!url.password.empty() && url.user.empty()) say("AUTH", {"AUTH", url.password});
    if (url.database != 0) say("SELECT", {"SELECT", std::to_string(url.database)});
    say("PING", {"PING"});
    write();
    read();
  }

  void write() {
    writing_ = true;
    asio::async_write(socket_, asio::buffer(out_), [self = shared_from_this()](error_code ec, std::size_t) {
      if (self->closed_) return;
      if (ec) return self->fail("the connection was lost: " + ec.message());
      self->writing_ = false;
      self->flush();
    });
  }

  void read() {
    socket_.async_read_some(asio::buffer(in_), [self = shared_from_this()](error_code ec, std::size_t size) {
      if (self->closed_) return;
      if (ec) return self->fail("the connection was lost: " + ec.message());
      self->heard_ = Steady::now();
      if (self->take({self->in_.data(), size})) self->read();
    });
  }

  bool take(std::string_view bytes) {
    if (const Status fed = reader_.feed(bytes); !fed) return give_up("it gave " + fed.error().message);
    RedisReply reply;
    while (!closed_) {
      const auto read = reader_.next(reply);
      if (!read) return give_up("it gave " + read.error().message);
      if (!*read) return true;
      if (!ready_ ? !introduced(reply) : !answered(reply)) return false;
    }
    return false;
  }

  bool give_up(const std::string& why) {
    fail(why);
    return false;
  }

  bool introduced(const RedisReply& reply) {
    const std::string_view what = introduction_.front();
    introduction_.pop_front();
    if (reply.kind == RedisReply::Kind::Error) {
      const std::string_view code = reply.error_code();
      // Whoever may not ask for a sign of life has had one.
      if (what != "PING" || code != "NOPERM")
        return give_up("it refuses " + std::string(what) + ": " + std::string(code));
    }
    if (!introduction_.empty()) return true;
    ready_ = true;
    owner_->connected();
    flush();
    return true;
  }

  bool answered(const RedisReply& reply) {
    Commands whole;
    const Done* done = &whole.done;
    {
      const std::lock_guard lock(core_.mutex);
      if (!core_.commands.empty()) {
        Commands& front = core_.commands.front();
        --core_.commands_left;
        if (--front.left > 0) {
          // Only this thread takes it away.
          done = &front.done;
        } else {
          whole = std::move(front);
          core_.commands.pop_front();
          core_.command_bytes -= whole.bytes;
        }
      }
    }
    if (!*done) return give_up("it gave an answer that was not asked for");
    (*done)(&reply);
    return !closed_;
  }

  Core& core_;
  const std::shared_ptr<Core> owner_;
  tcp::resolver resolver_;
  std::vector<tcp::endpoint> places_;  // where the server may be
  Socket socket_;
  Timer timer_;
  RedisReplyReader reader_;
  std::array<char, kReplyReadBytes> in_;
  std::string out_;
  std::deque<std::string_view> introduction_;  // what of it has no answer yet
  Steady::time_point deadline_;
  Steady::time_point heard_ = Steady::now();
  bool ready_ = false;
  bool writing_ = false;
  bool closed_ = false;
};

bool RedisClient::Core::send(std::string_view bytes, std::size_t count, Done done) {
  const std::lock_guard lock(mutex);
  if (!seen.connected || count > options.commands_max - commands_left ||
      bytes.size() > options.bytes_max - command_bytes) {
    return false;
  }
  // First, for it does no harm without the rest.
  if (!flush_posted) {
    asio::post(context, [self = shared_from_this()] {
      if (self->connection) self->connection->flush();
    });
    flush_posted = true;
  }
  commands.push_back({std::move(done), bytes.size(), count, Steady::now() + options.answer_time});
  try {
    outbox += bytes;
  } catch (...) {
    commands.pop_back();
    throw;
  }
  commands_left += count;
  command_bytes += bytes.size();
  return true;
}

void RedisClient::Core::connect() {
  connection = std::make_shared<Connection>(shared_from_this());
  connection->begin();
}

void RedisClient::Core::connected() {
  {
    const std::lock_guard lock(mutex);
    seen.connected = true;
    seen.since = system_clock().now();
    ++seen.connects;
  }
  pause.connected(Steady::now());
  told_away = false;
  log_info("connected to Redis at {} ({})", url.address(), options.purpose);
}

void RedisClient::Core::lost(const std::string& why) {
  if (connection) connection->close();
  connection.reset();
  {
    const std::lock_guard lock(mutex);
    if (std::exchange(seen.connected, false)) {
      seen.since = system_clock().now();
      pause.lost(Steady::now());
    }
    seen.last_error = why;
  }
  fail_commands();
  if (!std::exchange(told_away, true)) {
    log_warning("Redis at {} ({}): {}; trying again, and nothing is kept for it meanwhile", url.address(),
                options.purpose, why);
  }
  retry_timer.expires_after(pause.next(std::uniform_real_distribution<double>{}(chance)));
  retry_timer.async_wait([self = shared_from_this()](error_code ec) {
    if (!ec) self->connect();
  });
}

void RedisClient::Core::fail_commands() {
  std::deque<Commands> failed;
  {
    const std::lock_guard lock(mutex);
    failed.swap(commands);
    outbox.clear();
    commands_left = command_bytes = 0;
    flush_posted = false;
  }
  for (const Commands& unanswered : failed) unanswered.done(nullptr);
}

RedisClient::RedisClient(asio::io_context& context, RedisUrl url, RedisClientOptions options)
    : core_(std::make_shared<Core>(context, std::move(url), std::move(options))) {
  asio::post(context, [core = core_] { core->connect(); });
}

RedisClient::~RedisClient() {
  {
    const std::lock_guard lock(core_->mutex);
    core_->seen.connected = false;
  }
  if (core_->connection) core_->connection->close();
  core_->connection.reset();
  core_->retry_timer.cancel();
  core_->fail_commands();
}

bool RedisClient::send(std::string_view commands, std::size_t count, Done done) {
  return core_->send(commands, count, std::move(done));
}

bool RedisClient::connected() const {
  const std::lock_guard lock(core_->mutex);
  return core_->seen.connected;
}

RedisClientState RedisClient::state() const {
  const std::lock_guard lock(core_->mutex);
  RedisClientState state = core_->seen;
  state.waiting = core_->commands_left;
  return state;
}

const RedisClientOptions& RedisClient::options() const { return core_->options; }

void RedisClient::reconnect(const std::string& why) { core_->lost(why); }

}  // namespace stele::net
