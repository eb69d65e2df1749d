#pragma once
// The `state` file: what a live server has durable, for tools that read the log beside it and as a lower bound for
// recovery. Mapped and never synced: after a power cut it may hold any older content, which is still a true lower
// bound. Bytes: format-spec.md.

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "engine/base/file_system.h"
#include "engine/base/ids.h"

namespace stele {

struct DurableState {
  Uuid store_id;
  Position end;       ///< everything before it is durable
  SegmentId segment;  ///< where the next group goes
  ByteOffset offset;  ///< and at which byte
  std::uint32_t process_id = 0;
  bool closed_cleanly = false;  ///< nothing was in flight when the store was closed
};

/// One thread publishes. The writes are plain memory writes; they cost no system call.
class StateFile {
 public:
  [[nodiscard]] static Result<std::unique_ptr<StateFile>> open(FileSystem& file_system, const std::string& path);
  void publish(const DurableState& state);

 private:
  explicit StateFile(std::unique_ptr<Mapping> mapping) : mapping_(std::move(mapping)) {}
  std::unique_ptr<Mapping> mapping_;
  std::uint64_t version_ = 0;
};

/// How long whoever reads beside a live server waits for a publication that has begun to end.
constexpr std::chrono::milliseconds kPublicationPatience{200};

/// None if there is no file or, for `patience`, it holds nothing that can be trusted. Without a server to wait for,
/// what one left half written when it died stays so.
[[nodiscard]] std::optional<DurableState> read_state(FileSystem& file_system, const std::string& path,
                                                     std::chrono::milliseconds patience = {});

}  // namespace stele
