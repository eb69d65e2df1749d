#include "bench/postgres_worker.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <utility>

namespace stele::bench {
namespace {

constexpr int kAnswerWaitMillis = 30'000;
constexpr const char* kStatement = "append";
constexpr const char* kInsert = "SELECT write_message($1::uuid, $2::text, $3::text, $4::jsonb)";
constexpr const char* kCopy = "COPY messages (id, stream_name, position, type, data) FROM STDIN";

[[noreturn]] void throw_errno(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

}  // namespace

PostgresWorker::PostgresWorker(std::string conninfo, const EventPoolOptions& events, std::size_t connections,
                               std::size_t batch)
    : conninfo_(std::move(conninfo)),
      pool_(events),
      batch_(batch),
      connections_(connections),
      event_(pool_.event_bytes_max(), '\0'),
      result_(std::make_unique<LoadResult>()) {}

PostgresWorker::~PostgresWorker() {
  for (Connection& connection : connections_) PQfinish(connection.session);
  if (epoll_ >= 0) ::close(epoll_);
}

void PostgresWorker::connect_all() {
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ < 0) throw_errno("epoll_create1");
  for (Connection& connection : connections_) {
    connection.session = PQconnectdb(conninfo_.c_str());
    if (PQstatus(connection.session) != CONNECTION_OK) throw std::runtime_error(PQerrorMessage(connection.session));
    if (batch_ == 0) {
      PGresult* prepared = PQprepare(connection.session, kStatement, kInsert, 4, nullptr);
      const bool good = PQresultStatus(prepared) == PGRES_COMMAND_OK;
      PQclear(prepared);
      if (!good) throw std::runtime_error(PQerrorMessage(connection.session));
    }
    if (PQsetnonblocking(connection.session, 1) != 0) throw std::runtime_error(PQerrorMessage(connection.session));
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    event.data.ptr = &connection;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, PQsocket(connection.session), &event) != 0) throw_errno("epoll_ctl");
  }
}

void PostgresWorker::run(const LoadSchedule& schedule) {
  schedule_ = schedule;
  pool_.set_time(unix_micros());
  for (Connection& connection : connections_) begin(connection, steady_nanos());

  std::array<epoll_event, 512> events;
  while (true) {
    if (in_flight_ == 0 && steady_nanos() >= schedule_.end) return;
    const int ready = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), kAnswerWaitMillis);
    if (ready < 0 && errno != EINTR) throw_errno("epoll_wait");
    if (ready == 0) throw std::runtime_error("no answer within " + std::to_string(kAnswerWaitMillis) + " ms");
    if (ready > 0) pool_.set_time(unix_micros());
    for (int i = 0; i < ready; ++i) {
      auto& connection = *static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr);
      if (PQconsumeInput(connection.session) == 0 || !flush(connection) || !advance(connection)) {
        ++result_->socket_errors;
        note_failure(connection);
        return;
      }
    }
  }
}

void PostgresWorker::begin(Connection& connection, std::uint64_t now) {
  connection.started = now;
  connection.refused = false;
  ++in_flight_;
  if (batch_ == 0) {
    send_insert(connection);
  } else if (PQsendQuery(connection.session, kCopy) == 0) {
    throw std::runtime_error(PQerrorMessage(connection.session));
  }
  if (!flush(connection)) throw std::runtime_error(PQerrorMessage(connection.session));
}

void PostgresWorker::send_insert(Connection& connection) {
  const WrittenEvent event = pool_.write_event(event_.data());
  const std::string id(event.event_id);
  const std::string stream(event.aggregate_id);
  const std::string type(event.event_type);
  const std::string data(event.json);
  connection.request_bytes = data.size();
  const std::array<const char*, 4> values{id.c_str(), stream.c_str(), type.c_str(), data.c_str()};
  if (PQsendQueryPrepared(connection.session, kStatement, 4, values.data(), nullptr, nullptr, 0) == 0) {
    throw std::runtime_error(PQerrorMessage(connection.session));
  }
}

void PostgresWorker::send_copy_data(Connection& connection) {
  rows_.clear();
  for (std::size_t i = 0; i < batch_; ++i) {
    const WrittenEvent event = pool_.write_event(event_.data());
    const std::string stream(event.aggregate_id);
    // The text format of COPY needs escapes for backslashes and control characters; events of the pool have none.
    rows_.append(event.event_id).append("\t").append(stream).append("\t");
    rows_.append(std::to_string(next_positions_[stream]++)).append("\t").append(event.event_type).append("\t");
    rows_.append(event.json).append("\n");
  }
  connection.request_bytes = rows_.size();
  // libpq keeps what the socket does not take.
  if (PQputCopyData(connection.session, rows_.data(), static_cast<int>(rows_.size())) != 1 ||
      PQputCopyEnd(connection.session, nullptr) != 1) {
    throw std::runtime_error(PQerrorMessage(connection.session));
  }
}

bool PostgresWorker::flush(Connection& connection) { return PQflush(connection.session) >= 0; }

bool PostgresWorker::advance(Connection& connection) {
  while (PQisBusy(connection.session) == 0) {
    PGresult* const answer = PQgetResult(connection.session);
    if (answer == nullptr) {
      const std::uint64_t now = steady_nanos();
      --in_flight_;
      if (now >= schedule_.measure_from && now < schedule_.end) {
        ++result_->by_status[connection.refused ? 500 : 200];
        result_->bytes_sent += connection.request_bytes;
        if (!connection.refused) result_->latency.record(now - connection.started);
      }
      if (now < schedule_.end) begin(connection, now);
      return true;
    }
    const ExecStatusType status = PQresultStatus(answer);
    PQclear(answer);
    if (status == PGRES_COPY_IN) {
      send_copy_data(connection);
      if (!flush(connection)) return false;
    } else if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
      connection.refused = true;
      note_failure(connection);
      if (PQstatus(connection.session) != CONNECTION_OK) return false;
    }
  }
  return true;
}

void PostgresWorker::note_failure(const Connection& connection) {
  if (result_->first_error.empty()) result_->first_error = PQerrorMessage(connection.session);
}

}  // namespace stele::bench
