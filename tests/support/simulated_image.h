#pragma once
// One file of the simulated disk: what the running process sees (live), what is on the disk (durable), and what lies
// between. It is a class of its own because "what may a power cut leave of this file" is the heart of the simulation
// and needs no names, handles or locks. Not thread-safe: the file system's mutex guards it.

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace stele {

/// Random numbers of the simulation. Its own arithmetic instead of std distributions, so that a seed means the same
/// everywhere.
class SimulatedChance {
 public:
  explicit SimulatedChance(std::uint64_t seed) : engine_(seed) {}
  /// 0 .. bound - 1; bound is at least 1.
  [[nodiscard]] std::uint64_t below(std::uint64_t bound) { return engine_() % bound; }
  [[nodiscard]] bool with_probability(double p) { return static_cast<double>(engine_() >> 11) * 0x1p-53 < p; }

 private:
  std::mt19937_64 engine_;
};

class SimulatedImage {
 public:
  static constexpr std::uint64_t kSectorBytes = 512;

  [[nodiscard]] std::uint64_t size() const { return live_.size(); }
  [[nodiscard]] const std::string& durable() const { return durable_; }
  /// The live bytes, with what was stored through writable() so far.
  [[nodiscard]] const std::string& live();

  void write(std::uint64_t offset, std::string_view bytes);
  void resize(std::uint64_t length);

  /// All that is pending reaches the disk.
  void sync();
  /// A sync that failed: of the pending sectors some reach the disk, and all of them count as clean from now on,
  /// although the live image keeps their content. Only those written again will be written out by a later sync.
  void fail_sync(SimulatedChance& chance);

  /// Aligned memory that is the live content of [0, size at the first call) from now on. Stores into it must be atomic
  /// if other threads use the file meanwhile. Lives as long as the image.
  [[nodiscard]] char* writable();
  [[nodiscard]] std::uint64_t writable_bytes() const { return mapped_bytes_; }

  /// The same file for the next process after this one was killed: nothing is lost, nothing more is durable.
  [[nodiscard]] std::shared_ptr<SimulatedImage> after_kill();
  /// The same file after a power cut: every sector holds its durable content or any version written since, and the size
  /// is one of those the file has had since the last sync. Live and durable are the same again.
  [[nodiscard]] std::shared_ptr<SimulatedImage> after_power_cut(SimulatedChance& chance);

 private:
  /// Content of a sector at some moment since the last sync, padded with zeros.
  struct Version {
    std::uint64_t step;
    std::string bytes;
  };
  struct Resize {
    std::uint64_t step;
    std::uint64_t length;
    bool shrinks;
  };
  struct Survivors;

  void remember(std::uint64_t sector);
  void absorb_mapping();
  [[nodiscard]] std::string sector_of(const std::string& image, std::uint64_t sector) const;
  [[nodiscard]] Survivors choose_survivors(SimulatedChance& chance) const;

  std::string live_;
  std::string durable_;
  std::map<std::uint64_t, std::vector<Version>> pending_;  // by sector, oldest first
  std::vector<Resize> resizes_;                            // pending ones, oldest first
  std::uint64_t step_ = 0;                                 // counts writes and resizes
  std::unique_ptr<std::uint64_t[]> mapped_;
  std::uint64_t mapped_bytes_ = 0;
};

}  // namespace stele
