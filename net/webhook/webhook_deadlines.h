#pragma once
// When the time of each of many is over. One timer is set for all of them: one of Asio's for each request took longer
// to set and to cancel than its answer took to read.

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <map>
#include <optional>

namespace stele::net {

/// The context's thread only.
class WebhookDeadlines {
 public:
  using Clock = std::chrono::steady_clock;

  /// Somebody whose time may end. Is cleared before it goes.
  class Party {
   public:
    virtual ~Party() = default;
    /// Not from within set(). It has no deadline any more.
    virtual void too_late() = 0;

   private:
    friend class WebhookDeadlines;
    std::optional<std::multimap<Clock::time_point, Party*>::iterator> place_{};
  };

  explicit WebhookDeadlines(boost::asio::io_context& context) : timer_(context) {}

  /// Instead of the one that it has, if any. Throws std::bad_alloc; then it may have none.
  void set(Party& party, Clock::time_point deadline);
  void clear(Party& party) noexcept;
  /// Tells those whose time is over. The timer does that too, unless there was no memory for it.
  void look();

 private:
  using Timer =
      boost::asio::basic_waitable_timer<Clock, boost::asio::wait_traits<Clock>, boost::asio::io_context::executor_type>;
  void wait_for_first();

  std::multimap<Clock::time_point, Party*> order_;
  Timer timer_;
  std::optional<Clock::time_point> waiting_for_{};  ///< not later than the first of them; perhaps nobody's any more
};

}  // namespace stele::net
