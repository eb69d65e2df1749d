#include "tests/support/simulated_image.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <utility>

namespace stele {
namespace {

constexpr std::uint64_t kSector = SimulatedImage::kSectorBytes;
constexpr std::size_t kVersionsMax = 16;  // of one sector; a file that is never synced must not grow without end
constexpr std::uint64_t kWord = sizeof(std::uint64_t);

void copy_sector_into(std::string& image, std::uint64_t sector, std::string_view bytes) {
  const std::uint64_t begin = sector * kSector;
  if (begin >= image.size()) return;
  image.replace(begin, std::min(kSector, image.size() - begin), bytes, 0, std::min(kSector, image.size() - begin));
}

}  // namespace

/// What a power cut leaves: the first `resizes` pending resizes, and of each sector in `versions` that version.
struct SimulatedImage::Survivors {
  std::size_t resizes = 0;
  std::map<std::uint64_t, const Version*> versions;
};

const std::string& SimulatedImage::live() {
  absorb_mapping();
  return live_;
}

std::string SimulatedImage::sector_of(const std::string& image, std::uint64_t sector) const {
  std::string bytes = sector * kSector < image.size() ? image.substr(sector * kSector, kSector) : std::string();
  bytes.resize(kSector, '\0');
  return bytes;
}

void SimulatedImage::remember(std::uint64_t sector) {
  std::vector<Version>& versions = pending_[sector];
  // The second oldest goes: the oldest and the newest are the likeliest to be found on a disk.
  if (versions.size() == kVersionsMax) versions.erase(versions.begin() + 1);
  versions.push_back(Version{step_, sector_of(live_, sector)});
}

void SimulatedImage::write(std::uint64_t offset, std::string_view bytes) {
  if (bytes.empty()) return;
  absorb_mapping();
  if (offset + bytes.size() > live_.size()) resize(offset + bytes.size());
  ++step_;
  std::memcpy(live_.data() + offset, bytes.data(), bytes.size());
  for (std::uint64_t at = offset; at < std::min(offset + bytes.size(), mapped_bytes_); ++at) {
    std::atomic_ref<char>(reinterpret_cast<char*>(mapped_.get())[at]).store(live_[at], std::memory_order_relaxed);
  }
  for (std::uint64_t sector = offset / kSector; sector <= (offset + bytes.size() - 1) / kSector; ++sector) {
    remember(sector);
  }
}

void SimulatedImage::resize(std::uint64_t length) {
  absorb_mapping();
  if (length == live_.size()) return;
  ++step_;
  resizes_.push_back(Resize{step_, length, length < live_.size()});
  live_.resize(length, '\0');
  for (std::uint64_t at = length; at < mapped_bytes_; ++at) {
    std::atomic_ref<char>(reinterpret_cast<char*>(mapped_.get())[at]).store('\0', std::memory_order_relaxed);
  }
}

char* SimulatedImage::writable() {
  if (!mapped_) {
    mapped_bytes_ = live_.size();
    mapped_ = std::make_unique<std::uint64_t[]>(mapped_bytes_ / kWord + 1);
    std::memcpy(mapped_.get(), live_.data(), mapped_bytes_);
  }
  return reinterpret_cast<char*>(mapped_.get());
}

void SimulatedImage::absorb_mapping() {
  const std::uint64_t end = std::min<std::uint64_t>(mapped_bytes_, live_.size());
  for (std::uint64_t begin = 0; begin < end; begin += kSector) {
    // Word by word and atomically: other threads may be storing.
    std::array<std::uint64_t, kSector / kWord> words{};
    const std::uint64_t size = std::min(kSector, end - begin);
    for (std::uint64_t i = 0; i * kWord < size; ++i) {
      words[i] = std::atomic_ref<std::uint64_t>(mapped_[begin / kWord + i]).load(std::memory_order_relaxed);
    }
    if (std::memcmp(words.data(), live_.data() + begin, size) == 0) continue;
    ++step_;
    std::memcpy(live_.data() + begin, words.data(), size);
    remember(begin / kSector);
  }
}

void SimulatedImage::sync() {
  absorb_mapping();
  for (const Resize& change : resizes_) durable_.resize(change.length, '\0');
  resizes_.clear();
  for (const auto& [sector, versions] : pending_) copy_sector_into(durable_, sector, sector_of(live_, sector));
  pending_.clear();
}

void SimulatedImage::fail_sync(SimulatedChance& chance) {
  absorb_mapping();
  // Sizes go through the file system's journal and stay pending if they did not make it.
  if (chance.below(2) == 0) {
    for (const Resize& change : resizes_) durable_.resize(change.length, '\0');
    resizes_.clear();
  }
  const bool lose_all = chance.below(4) == 0;
  for (const auto& [sector, versions] : pending_) {
    if (lose_all || chance.below(2) == 0) continue;
    copy_sector_into(durable_, sector, sector_of(live_, sector));
  }
  pending_.clear();
}

std::shared_ptr<SimulatedImage> SimulatedImage::after_kill() {
  absorb_mapping();
  auto next = std::make_shared<SimulatedImage>();
  next->live_ = live_;
  next->durable_ = durable_;
  next->pending_ = pending_;
  next->resizes_ = resizes_;
  next->step_ = step_;
  return next;
}

SimulatedImage::Survivors SimulatedImage::choose_survivors(SimulatedChance& chance) const {
  Survivors chosen;
  // Sector by sector at random is the most general way, but hardly ever leaves a long write whole. So whole outcomes
  // and cuts in the order of writing have their own share.
  const std::uint64_t way = chance.below(8);
  if (way == 0) return chosen;
  if (way == 1) {
    chosen.resizes = resizes_.size();
    for (const auto& [sector, versions] : pending_) chosen.versions[sector] = &versions.back();
    return chosen;
  }
  if (way <= 3) {
    struct Step {
      std::uint64_t step;
      std::uint64_t sector;
      const Version* version;  // null: a resize
    };
    std::vector<Step> steps;
    for (const Resize& change : resizes_) steps.push_back(Step{change.step, 0, nullptr});
    for (const auto& [sector, versions] : pending_) {
      for (const Version& version : versions) steps.push_back(Step{version.step, sector, &version});
    }
    std::sort(steps.begin(), steps.end(),
              [](const Step& a, const Step& b) { return std::pair(a.step, a.sector) < std::pair(b.step, b.sector); });
    steps.resize(chance.below(steps.size() + 1));
    for (const Step& step : steps) {
      if (step.version == nullptr) ++chosen.resizes;
      if (step.version != nullptr) chosen.versions[step.sector] = step.version;
    }
    return chosen;
  }
  chosen.resizes = chance.below(2) == 0 ? resizes_.size() : chance.below(resizes_.size() + 1);
  const double reached = way <= 5 ? 0.5 : way == 6 ? 0.1 : 0.9;
  for (const auto& [sector, versions] : pending_) {
    if (!chance.with_probability(reached)) continue;
    const bool newest = chance.below(2) == 0;
    chosen.versions[sector] = newest ? &versions.back() : &versions[chance.below(versions.size())];
  }
  return chosen;
}

std::shared_ptr<SimulatedImage> SimulatedImage::after_power_cut(SimulatedChance& chance) {
  absorb_mapping();
  const Survivors survivors = choose_survivors(chance);
  const auto first_lost = resizes_.begin() + static_cast<std::ptrdiff_t>(survivors.resizes);

  std::string image = durable_;
  for (auto change = resizes_.begin(); change != first_lost; ++change) image.resize(change->length, '\0');

  for (const auto& [sector, version] : survivors.versions) {
    const std::uint64_t begin = sector * kSector;
    // Written into blocks that the file got only after a truncation the disk never saw: the file still has its old
    // blocks.
    const std::uint64_t written = version->step;
    const bool in_lost_block = std::any_of(first_lost, resizes_.end(), [&](const Resize& change) {
      return change.shrinks && change.step < written && begin >= change.length;
    });
    if (in_lost_block) continue;
    std::string bytes = version->bytes;
    for (auto change = resizes_.begin(); change != first_lost; ++change) {
      if (!change->shrinks || change->step < written) continue;
      const std::uint64_t kept = change->length > begin ? std::min(change->length - begin, kSector) : 0;
      std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(kept), bytes.end(), '\0');
    }
    copy_sector_into(image, sector, bytes);
  }

  auto next = std::make_shared<SimulatedImage>();
  next->live_ = image;
  next->durable_ = std::move(image);
  return next;
}

}  // namespace stele
