#pragma once
// Where the states of deliveries outlive the process: one file of small steps of all subscriptions, synced in groups,
// and written anew as the states that they come to when it is opened and when it has grown. format-spec.md,
// "Deliveries".
//
// Trouble with it never touches the log. A step that was lost means that something is delivered again; if the file is
// lost, the owner begins where the log says (the journal says which subscriptions it knows).

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "engine/base/clock.h"
#include "engine/base/file_system.h"
#include "engine/base/mutex.h"
#include "engine/base/result.h"
#include "engine/deliveries/delivery_state.h"

namespace stele {

struct DeliveryJournalOptions {
  FileSystem* file_system = nullptr;  ///< must outlive the journal
  const Clock* clock = nullptr;       ///< must outlive the journal
  std::string folder;                 ///< made if it is not there; for the journal alone
  Uuid store_id;
  /// The folder is still the one that the log is in; asked before files are made, renamed or removed. Any thread.
  std::function<Status()> in_place;
  /// Steps that nobody waits for are synced after this time at the latest.
  std::chrono::milliseconds sync_delay{100};
  /// After a sync of at least so many steps as many are likely to come again soon: those wait for each other until this
  /// time after it has begun.
  std::chrono::microseconds gather_time{500};
  std::size_t gather_steps_min = 16;
  std::chrono::milliseconds retry_delay{1000};  ///< after trouble with the disk
  std::uint64_t rewrite_bytes_min = 4U << 20;   ///< a smaller file is not written anew
  std::uint64_t zeros_ahead = 256U << 10;       ///< of a file that is appended to
  bool background = true;                       ///< false: no thread; append() writes and syncs before it returns
};

/// Thread-safe.
class DeliveryJournal {
 public:
  /// Called once the steps are durable, or cannot be made so now; they hold in the states that are given out all the
  /// same, and are written again with all others. On the journal's thread, or within append(): must be quick, and must
  /// not call the journal.
  using Durable = std::function<void(const Status&)>;

  /// Reads what is there, as far as it is whole, and writes it anew. Foreign, NewerFormat,
  /// and those of a file that cannot be read: nothing was changed.
  [[nodiscard]] static Result<std::unique_ptr<DeliveryJournal>> open(DeliveryJournalOptions options);
  ~DeliveryJournal();
  DeliveryJournal(const DeliveryJournal&) = delete;

  [[nodiscard]] std::map<SubscriptionKey, DeliveryState> states() const;
  /// The default state if it is not there.
  [[nodiscard]] DeliveryState state(SubscriptionKey subscription) const;
  /// What was wrong with the files that open() found, in words; empty if nothing.
  [[nodiscard]] const std::vector<std::string>& notes() const { return notes_; }

  /// Steps that do not fit the state of the subscription end the process: the caller keeps the same state. A
  /// subscription that is not there begins with its default state. Without a callback nobody waits.
  void append(SubscriptionKey subscription, const std::vector<DeliveryStep>& steps, Durable durable = {});
  /// The subscription is gone.
  void forget(SubscriptionKey subscription);

  /// Makes everything durable that was appended before.
  [[nodiscard]] Status flush();
  /// flush(), then the end: appended steps are refused (Closed). Idempotent.
  Status close();

  /// Why what waits could not be written last; empty if it could, or nothing has waited since.
  [[nodiscard]] std::string trouble() const;

  struct Metrics {
    std::uint64_t steps = 0, syncs = 0, rewrites = 0, failures = 0, file_bytes = 0;
  };
  [[nodiscard]] Metrics metrics() const;

 private:
  explicit DeliveryJournal(DeliveryJournalOptions options);
  [[nodiscard]] Status load();
  void tell_when_written(Durable durable);
  void run();
  /// Writes and syncs what waits; a file that has grown, or is in doubt, is written anew.
  void write_group() REQUIRES(mutex_);
  [[nodiscard]] Status write_anew(const std::string& states);
  void put_zeros_ahead();
  [[nodiscard]] std::string path(std::uint64_t number) const;
  void remove_files_before(std::uint64_t number);

  const DeliveryJournalOptions options_;
  std::vector<std::string> notes_;

  mutable Mutex mutex_;
  ConditionVariable changed_;
  std::map<SubscriptionKey, DeliveryState> states_ GUARDED_BY(mutex_);  ///< with all that was appended
  std::string waiting_ GUARDED_BY(mutex_);                              ///< frames that are not in the file
  std::vector<Durable> callbacks_ GUARDED_BY(mutex_);
  std::size_t steps_waiting_ GUARDED_BY(mutex_) = 0;
  bool urgent_ GUARDED_BY(mutex_) = false;    ///< somebody waits
  bool outgrown_ GUARDED_BY(mutex_) = false;  ///< what waits is more than a frame holds: all is written anew
  bool writing_ GUARDED_BY(mutex_) = false;
  bool closed_ GUARDED_BY(mutex_) = false;
  std::int64_t waiting_since_ GUARDED_BY(mutex_) = 0;  ///< monotonic, microseconds
  std::int64_t retry_at_ GUARDED_BY(mutex_) = 0;
  std::int64_t gathering_until_ GUARDED_BY(mutex_) = 0;
  Status last_ GUARDED_BY(mutex_);
  Metrics metrics_ GUARDED_BY(mutex_);

  // Of whoever writes, one at a time (writing_).
  std::unique_ptr<File> file_;   ///< null = in doubt: to be written anew
  std::uint64_t number_ = 0;     ///< of the file
  std::uint64_t size_ = 0;       ///< of what it holds, without the zeros behind that
  std::uint64_t zeros_end_ = 0;  ///< where the zeros end, if there are any
  std::uint64_t anew_size_ = 0;  ///< when it was written anew

  std::thread thread_;  // last: it uses all of the above
};

}  // namespace stele
