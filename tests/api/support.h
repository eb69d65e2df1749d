#pragma once
// A request without a socket, a scheduler without an I/O loop, and a service over a real store in a temp folder.

#include <doctest/doctest.h>
#include <simdjson.h>
#include <stdlib.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "api/service.h"
#include "tests/support/eventually.h"

namespace stele::api::test {

using tests::eventually;
using tests::wait_until;

/// One thread that runs what it is given in order, and later what is delayed. Joined by the destructor, after
/// everything queued.
class TestScheduler : public Scheduler {
 public:
  TestScheduler() : thread_([this] { run(); }) {}
  ~TestScheduler() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }

  bool run_on_read_pool(std::function<void()> work) override {
    if (full) return false;
    post(std::move(work));
    return true;
  }
  void after(std::chrono::milliseconds delay, std::function<void()> work) override {
    {
      const std::lock_guard lock(mutex_);
      delayed_.emplace(std::chrono::steady_clock::now() + delay, std::move(work));
    }
    wake_.notify_all();
  }
  void post(std::function<void()> work) {
    {
      const std::lock_guard lock(mutex_);
      queue_.push_back(std::move(work));
    }
    wake_.notify_all();
  }
  [[nodiscard]] std::string describe() {
    const std::lock_guard lock(mutex_);
    return std::string(working_ ? "at work" : "idle") + ", " + std::to_string(queue_.size()) + " wait, " +
           std::to_string(delayed_.size()) + " are delayed";
  }

  std::atomic<bool> full{false};

 private:
  void run() {
    std::unique_lock lock(mutex_);
    while (true) {
      std::function<void()> work;
      if (!delayed_.empty() && delayed_.begin()->first <= std::chrono::steady_clock::now()) {
        work = std::move(delayed_.begin()->second);
        delayed_.erase(delayed_.begin());
      } else if (!queue_.empty()) {
        work = std::move(queue_.front());
        queue_.pop_front();
      } else if (stopping_) {
        return;
      } else if (delayed_.empty()) {
        wake_.wait(lock);
        continue;
      } else {
        wake_.wait_until(lock, delayed_.begin()->first);
        continue;
      }
      working_ = true;
      lock.unlock();
      work();
      work = nullptr;
      lock.lock();
      working_ = false;
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;
  std::multimap<std::chrono::steady_clock::time_point, std::function<void()>> delayed_;
  bool working_ = false, stopping_ = false;
  std::thread thread_;
};

class TestRequest : public Request {
 public:
  TestRequest(Method method, std::string target, std::string body, std::map<std::string, std::string> headers,
              TestScheduler& scheduler)
      : method_(method), target_(std::move(target)), size_(body.size()), body_(std::move(body)), scheduler_(scheduler) {
    body_.append(simdjson::SIMDJSON_PADDING, '\0');
    for (auto& [name, value] : headers) headers_[lower(name)] = value;
  }
  [[nodiscard]] Method method() const override { return method_; }
  [[nodiscard]] std::string_view path() const override {
    return std::string_view(target_).substr(0, target_.find('?'));
  }
  [[nodiscard]] std::string_view query() const override {
    const std::size_t mark = target_.find('?');
    return mark == std::string::npos ? std::string_view() : std::string_view(target_).substr(mark + 1);
  }
  [[nodiscard]] std::string_view header(std::string_view name) const override {
    const auto found = headers_.find(lower(std::string(name)));
    return found == headers_.end() ? std::string_view() : std::string_view(found->second);
  }
  [[nodiscard]] bool has_header(std::string_view name) const override {
    return headers_.contains(lower(std::string(name)));
  }
  [[nodiscard]] std::string_view body() const override { return std::string_view(body_).substr(0, size_); }
  [[nodiscard]] std::string_view remote_address() const override { return "127.0.0.1"; }
  void resume(std::function<void()> work) const override { scheduler_.post(std::move(work)); }
  [[nodiscard]] bool abandoned() const override { return is_abandoned || is_cut_off_; }
  [[nodiscard]] bool is_cut_off() const override { return is_cut_off_; }
  [[nodiscard]] std::uint64_t announced_body_bytes() const override { return announced.value_or(size_); }
  void cut_off() { is_cut_off_ = true; }

  std::atomic<bool> is_abandoned{false};
  std::optional<std::uint64_t> announced{};  ///< of a body that was not wanted

 private:
  static std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c); });
    return text;
  }
  Method method_;
  std::string target_;
  std::size_t size_;
  std::string body_;
  std::map<std::string, std::string> headers_;
  TestScheduler& scheduler_;
  std::atomic<bool> is_cut_off_{false};
};

/// An answer with its stream read to the end.
struct Answer {
  int status = 0;
  std::string type;
  std::string body;
  std::map<std::string, std::string> headers;
  bool streamed = false;
  std::size_t pieces = 0;  ///< of the stream

  [[nodiscard]] std::string slug() const {
    const std::string_view mark = "\"type\":\"/problems/";
    const std::size_t at = body.find(mark);
    if (at == std::string::npos) return {};
    const std::size_t from = at + mark.size();
    return body.substr(from, body.find('"', from) - from);
  }
  /// The value at a JSON pointer, minified; "none" if there is none.
  [[nodiscard]] std::string at(const std::string& pointer) const {
    simdjson::dom::parser parser;
    simdjson::dom::element root;
    REQUIRE(parser.parse(body).get(root) == simdjson::SUCCESS);
    simdjson::dom::element value;
    if (root.at_pointer(pointer).get(value) != simdjson::SUCCESS) return "none";
    return simdjson::minify(value);
  }
  [[nodiscard]] std::string text(const std::string& pointer) const {
    std::string json = at(pointer);
    return json.size() >= 2 && json.front() == '"' ? json.substr(1, json.size() - 2) : json;
  }
  [[nodiscard]] std::string header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
  }
};

/// Owns folder, store, scheduler and service.
class TestService {
 public:
  explicit TestService(ServiceOptions options = {}) : TestService(std::move(options), nullptr, {}) {}
  /// Over a store on `files` that `fill` has filled before it was opened again, with runs of the index. It then has no
  /// threads that compact it or write tiles unless `in_background` says so.
  TestService(ServiceOptions options, FileSystem* files, const std::function<void(Store&)>& fill,
              bool in_background = false) {
    std::string pattern = (std::filesystem::temp_directory_path() / "stele-api-XXXXXX").string();
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    folder_ = pattern;
    StoreOptions store_options;
    store_options.folder = folder_ + "/data";
    store_options.segment_bytes = 4U << 20;
    store_options.file_system = files;
    const auto open = [&] {
      auto opened = Store::open(store_options);
      if (!opened) FAIL(opened.error().describe());
      store_ = std::move(*opened);
    };
    if (fill) {
      store_options.index_part_records_max = 8;
      store_options.compaction_bytes_per_second = 0;  // on the committer's thread, so that nobody need wait for it
      open();
      fill(*store_);
      REQUIRE(store_->close());
      store_.reset();
      if (in_background) store_options.compaction_bytes_per_second = StoreOptions().compaction_bytes_per_second;
    }
    open();
    scheduler_ = std::make_unique<TestScheduler>();
    service_ = std::make_unique<Service>(*store_, *scheduler_, std::move(options));
  }
  ~TestService() {
    service_->begin_shutdown();
    const bool closed = store_->close().has_value();
    scheduler_.reset();
    service_.reset();
    store_.reset();
    std::filesystem::remove_all(folder_);
    CHECK(closed);
  }

  using Headers = std::map<std::string, std::string>;

  std::future<Answer> begin(Method method, std::string target, std::string body = {}, const Headers& headers = {}) {
    return begin(std::make_shared<TestRequest>(method, std::move(target), std::move(body), headers, *scheduler_));
  }
  std::future<Answer> begin(const std::shared_ptr<TestRequest>& request) {
    auto promise = std::make_shared<std::promise<Answer>>();
    auto answer = promise->get_future();
    service_->handle(*request, [request, promise](Response response) {
      Answer a;
      a.status = response.status;
      a.type = response.content_type;
      for (auto& [name, value] : response.headers) a.headers[std::string(name)] = value;
      a.body = std::move(response.body);
      if (response.source) {
        a.streamed = true;
        a.body.clear();
        for (;; ++a.pieces) {
          const std::size_t before = a.body.size();
          const auto more = response.source->next(a.body);
          if (!more || !*more) {
            if (!more || a.body.size() != before) a.status = -1;
            break;
          }
        }
      }
      promise->set_value(std::move(a));
    });
    return answer;
  }
  /// Fails the test if there is none within a minute, and says what may hang.
  template <typename T>
  T get_in_time(std::future<T>& answer, std::string_view target) {
    if (answer.wait_for(std::chrono::minutes(1)) != std::future_status::ready) {
      const StoreMetrics store = store_->metrics();
      FAIL("no answer from ", target, " within a minute. Scheduler: ", scheduler_->describe(),
           ". Store: ", store.append_nanos.count(), " appends called back, ", store.commit_nanos.count(),
           " groups readable of ", store.sync_nanos.count(), " synced in ", store.sync_nanos.sum / 1'000'000, " ms, ",
           store.poisoned ? "poisoned" : "writable");
    }
    return answer.get();
  }
  /// The answer as it is handed to net, with a body that comes when it comes.
  Response open(const std::shared_ptr<TestRequest>& request) {
    auto promise = std::make_shared<std::promise<Response>>();
    auto response = promise->get_future();
    service_->handle(*request, [promise](Response given) { promise->set_value(std::move(given)); });
    return get_in_time(response, request->path());
  }
  Answer send(Method method, std::string target, std::string body = {}, const Headers& headers = {}) {
    auto answer = begin(method, target, std::move(body), headers);
    return get_in_time(answer, target);
  }
  Answer get(std::string target, const Headers& headers = {}) {
    return send(Method::Get, std::move(target), {}, headers);
  }
  Answer post(std::string body, Headers headers = {}) {
    headers.emplace("Content-Type", "application/json");
    return send(Method::Post, "/v1/events", std::move(body), headers);
  }
  /// The body was announced, and not wanted.
  Answer post_announced(std::uint64_t bytes) {
    const auto request = std::make_shared<TestRequest>(
        Method::Post, "/v1/events", "", std::map<std::string, std::string>{{"Content-Type", "application/json"}},
        *scheduler_);
    request->announced = bytes;
    auto answer = begin(request);
    return get_in_time(answer, request->path());
  }

  [[nodiscard]] Store& store() { return *store_; }
  [[nodiscard]] const std::string& folder() const { return folder_; }
  /// Of every file in it, one behind the other.
  [[nodiscard]] std::string bytes_in_folder() const {
    std::string all;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_)) {
      if (!entry.is_regular_file()) continue;
      std::ifstream in(entry.path(), std::ios::binary);
      std::stringstream bytes;
      bytes << in.rdbuf();
      all += bytes.str();
    }
    return all;
  }
  [[nodiscard]] Service& service() { return *service_; }
  [[nodiscard]] TestScheduler& scheduler() { return *scheduler_; }

 private:
  std::string folder_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<TestScheduler> scheduler_;
  std::unique_ptr<Service> service_;
};

inline std::string event(const std::string& aggregate, const std::string& data = "1", const std::string& members = "") {
  return R"({"eventType":"T","aggregateId":")" + aggregate + R"(","data":)" + data +
         (members.empty() ? "" : "," + members) + "}";
}

}  // namespace stele::api::test
