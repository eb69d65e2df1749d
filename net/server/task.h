#pragma once
// The coroutine type of the sessions: lazy, single-threaded, with frames that are recycled per thread. Leaner than
// asio::awaitable, which makes a second frame for every operation awaited.

#include <coroutine>
#include <cstddef>
#include <exception>
#include <new>
#include <type_traits>
#include <utility>

#include "engine/base/check.h"

namespace stele::net {

/// Keeps a few freed frames of each thread. Frames may be freed on another thread than the one that made them.
class FrameCache {
 public:
  static void* allocate(std::size_t size) {
    Slot* const slot = slot_of(size);
    if (slot != nullptr && slot->free != nullptr) {
      Node* const node = slot->free;
      slot->free = node->next;
      --slot->count;
      return node;
    }
    return ::operator new(rounded(size));
  }
  static void release(void* frame, std::size_t size) noexcept {
    Slot* const slot = slot_of(size);
    if (slot == nullptr || slot->count >= slot_max) {
      ::operator delete(frame);
      return;
    }
    slot->free = new (frame) Node{slot->free};
    ++slot->count;
  }

 private:
  struct Node {
    Node* next;
  };
  struct Slot {
    Node* free = nullptr;
    std::size_t count = 0;
  };
  static constexpr std::size_t step = 256, slots = 16, slot_max = 64;
  struct Cache {
    Slot slot[slots];
    Cache() = default;
    Cache(const Cache&) = delete;
    Cache& operator=(const Cache&) = delete;
    ~Cache() {
      for (Slot& s : slot) {
        while (s.free != nullptr) {
          Node* const node = s.free;
          s.free = node->next;
          ::operator delete(node);
        }
        s.count = slot_max;  // frames freed later on this thread go back to the heap
      }
    }
  };
  static std::size_t rounded(std::size_t size) { return (size + step - 1) / step * step; }
  static Slot* slot_of(std::size_t size) noexcept {
    static thread_local Cache cache;
    const std::size_t index = (size - 1) / step;
    return index < slots ? &cache.slot[index] : nullptr;
  }
};

namespace detail {

struct PromiseBase {
  std::coroutine_handle<> continuation;
  std::exception_ptr exception;

  static void* operator new(std::size_t size) { return FrameCache::allocate(size); }
  static void operator delete(void* frame, std::size_t size) noexcept { FrameCache::release(frame, size); }

  struct FinalAwaiter {
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> done) const noexcept {
      const std::coroutine_handle<> next = done.promise().continuation;
      return next ? next : std::noop_coroutine();
    }
    void await_resume() const noexcept {}
  };

  std::suspend_always initial_suspend() const noexcept { return {}; }
  FinalAwaiter final_suspend() const noexcept { return {}; }
  void unhandled_exception() noexcept { exception = std::current_exception(); }
};

template <class T>
struct Promise : PromiseBase {
  T result{};
  void return_value(T value) { result = std::move(value); }
};

template <>
struct Promise<void> : PromiseBase {
  void return_void() const noexcept {}
};

}  // namespace detail

/// Owns its frame. Either awaited once by another Task, or started once with start(). T must be default-constructible.
template <class T = void>
class [[nodiscard]] Task {
 public:
  struct promise_type : detail::Promise<T> {
    Task get_return_object() { return Task(std::coroutine_handle<promise_type>::from_promise(*this)); }
  };

  Task() = default;
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      if (handle_) handle_.destroy();
      handle_ = std::exchange(other.handle_, {});
    }
    return *this;
  }
  ~Task() {
    if (handle_) handle_.destroy();
  }

  /// Runs a root task up to its first suspension. Its exceptions stay in it.
  void start() {
    STELE_CHECK(handle_ && !handle_.done());
    handle_.resume();
  }

  bool await_ready() const noexcept { return false; }
  /// Runs the child inside the call and goes on at once if it did not have to wait: the stack does not grow with the
  /// number of children that finish at once, whatever the optimiser makes of tail calls.
  bool await_suspend(std::coroutine_handle<> parent) {
    handle_.resume();
    if (handle_.done()) return false;
    handle_.promise().continuation = parent;
    return true;
  }
  T await_resume() {
    if (handle_.promise().exception) std::rethrow_exception(handle_.promise().exception);
    if constexpr (!std::is_void_v<T>) return std::move(handle_.promise().result);
  }

 private:
  explicit Task(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  std::coroutine_handle<promise_type> handle_;
};

}  // namespace stele::net
