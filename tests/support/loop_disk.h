#pragma once
// An ext4 file system of its own on a loop device, for tests that cut its power or fill it. Needs the right to mount
// and a free loop device; the constructor throws std::runtime_error, saying what is missing.
//
// Nothing is left behind however the process ends: the image has no name, the mount is in a mount namespace of this
// process and its children, and the device frees itself when the last of them is gone.

#include <cstdint>
#include <string>

#include "tests/support/temp_folder.h"

namespace stele::tests {

class LoopDisk {
 public:
  /// Made and mounted. The image is sparse. Construct before starting threads or processes that use it.
  explicit LoopDisk(std::uint64_t bytes);
  ~LoopDisk();
  LoopDisk(const LoopDisk&) = delete;
  LoopDisk& operator=(const LoopDisk&) = delete;

  /// Where it is mounted.
  [[nodiscard]] const std::string& path() const { return folder_.path(); }

  enum class Cut {
    Journal = 1,     ///< what the journal holds is still written, other data is not
    Everything = 2,  ///< nothing more reaches the device
  };
  /// At once: every later access fails with EIO until remount().
  void cut_power(Cut how);
  /// As after a reboot. Throws if a process still uses it.
  void remount();
  /// Again, where a test has unmounted it.
  void mount();

 private:
  TempFolder folder_;
  std::string device_;
  int device_fd_ = -1;
};

}  // namespace stele::tests
