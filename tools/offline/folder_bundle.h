#pragma once
// Bundles of events (api/audit/event_bundle.h) from a data folder, without a server or beside one.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "api/audit/event_bundle.h"
#include "engine/audit/checkpoint_folder.h"
#include "engine/store/read_only_store.h"

namespace stele::tools {

/// A data folder opened for reading. Nothing in it is changed. One thread.
class FolderBundle {
 public:
  /// As Store::open_read_only(); NotFound as well if no checkpoint was signed over what is there.
  [[nodiscard]] static Result<std::unique_ptr<FolderBundle>> open(const std::string& folder);

  /// Gives the lines of a bundle of the events that `chosen` names by aggregate or times, to be filled in with log and
  /// keys: those that the newest checkpoint covers. InvalidArgument: a time is none; Corrupt: the log is not what was
  /// signed; errors of `take` and of reading.
  [[nodiscard]] Status write(api::BundleHead chosen, const std::function<Status(std::string_view line)>& take);

  [[nodiscard]] std::uint64_t events() const { return events_; }
  /// Events that were chosen and are not in the bundle, because no checkpoint covers them yet.
  [[nodiscard]] std::uint64_t uncovered() const { return uncovered_; }

 private:
  FolderBundle(std::string folder, std::unique_ptr<ReadOnlyStore> store)
      : folder_(std::move(folder)), store_(std::move(store)) {}
  [[nodiscard]] Status look_for_checkpoint();

  const std::string folder_;
  const std::unique_ptr<ReadOnlyStore> store_;
  KeptCheckpoint newest_;
  std::vector<std::string> vkeys_;
  std::uint64_t events_ = 0;
  std::uint64_t uncovered_ = 0;
};

}  // namespace stele::tools
