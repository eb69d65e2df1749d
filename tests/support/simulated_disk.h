#pragma once
// The names, counters and ordered failures of a simulated disk: everything of SimulatedFileSystem that is not a handle.
// Its own class because handles share it and may outlive the file system. The caller holds `mutex` during every call.

#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/support/simulated_file_system.h"
#include "tests/support/simulated_image.h"

namespace stele {

class SimulatedFileSystem::Disk {
 public:
  using Image = std::shared_ptr<SimulatedImage>;  // null: a folder
  using Names = std::map<std::string, Image>;

  /// How an ordered failure ends a call.
  struct Failing {
    int os_error;
    bool in_part;
  };

  explicit Disk(std::uint64_t seed) : chance(seed) {
    for (const char* root : {"/", "."}) live[root] = durable[root] = nullptr;
  }

  /// Counts a call and says whether it fails, and how.
  [[nodiscard]] std::optional<Failing> begin(SimulatedCall call);

  void add(const std::string& path, Image image);
  void remove(const std::string& path);
  [[nodiscard]] Status rename(const std::string& from, const std::string& to);
  void sync_directory(const std::string& folder);

  /// Disk space that is left; the largest size `image` may grow to.
  [[nodiscard]] std::uint64_t growth_limit(const SimulatedImage& image) const;
  [[nodiscard]] std::uint64_t used_bytes() const;
  [[nodiscard]] FileInfo info_of(const Image& image) const;

  void crash();
  void kill();
  void forget_failures();

  [[nodiscard]] static std::string normal(const std::string& path);
  [[nodiscard]] static std::string parent(const std::string& path);

  std::mutex mutex;
  SimulatedChance chance;
  Names live;
  Names durable;
  std::uint64_t life = 1;       ///< of the simulated process; handles of an earlier one are dead
  std::set<std::string> locks;  ///< of folders, by their lock files
  std::set<const SimulatedImage*> locked_files;
  std::array<std::uint64_t, kSimulatedCalls> counts{};
  bool power_cut = false;
  std::optional<std::uint64_t> calls_to_power_cut;
  std::optional<std::uint64_t> capacity;

  struct FailOnce {
    SimulatedCall call;
    std::uint64_t calls_left;
    SimulatedFailure how;
  };
  struct FailOften {
    SimulatedCall call;
    double probability;
    SimulatedFailure how;
  };
  std::vector<FailOnce> fail_once;
  std::vector<FailOften> fail_often;

 private:
  /// A change of entries that is not durable yet. `to` is empty unless it is a rename; `image` is set unless it is a
  /// removal.
  struct EntryChange {
    enum class Kind { Add, Remove, Rename } kind;
    std::string path;
    std::string to;
    Image image;
    [[nodiscard]] std::set<std::string> folders() const;
    void apply(Names& names) const;
  };
  std::vector<EntryChange> pending_;  // oldest first
};

}  // namespace stele
