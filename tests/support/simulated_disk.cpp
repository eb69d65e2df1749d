#include "tests/support/simulated_disk.h"

#include <algorithm>
#include <cerrno>
#include <limits>
#include <utility>

namespace stele {
namespace {

constexpr std::uint64_t kBlockBytes = 4096;

std::uint64_t rounded_up(std::uint64_t size) { return (size + kBlockBytes - 1) / kBlockBytes * kBlockBytes; }

}  // namespace

std::string SimulatedFileSystem::Disk::normal(const std::string& path) {
  std::string result;
  for (const char c : path) {
    if (c != '/' || result.empty() || result.back() != '/') result += c;
  }
  if (result.size() > 1 && result.back() == '/') result.pop_back();
  if (result.starts_with("./")) result.erase(0, 2);
  return result;
}

std::string SimulatedFileSystem::Disk::parent(const std::string& path) {
  const auto slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::optional<SimulatedFileSystem::Disk::Failing> SimulatedFileSystem::Disk::begin(SimulatedCall call) {
  ++counts[static_cast<std::size_t>(call)];
  if (calls_to_power_cut && --*calls_to_power_cut == 0) {
    power_cut = true;
    calls_to_power_cut.reset();
  }
  if (power_cut) return Failing{EIO, false};

  std::optional<SimulatedFailure> how;
  for (FailOnce& order : fail_once) {
    if (order.call == call && order.calls_left > 0 && --order.calls_left == 0) how = order.how;
  }
  std::erase_if(fail_once, [](const FailOnce& order) { return order.calls_left == 0; });
  for (const FailOften& order : fail_often) {
    if (order.call == call && chance.with_probability(order.probability)) how = order.how;
  }
  if (!how) return std::nullopt;
  const bool full = *how == SimulatedFailure::DiskFull || *how == SimulatedFailure::ShortDiskFull;
  return Failing{full ? ENOSPC : EIO, *how == SimulatedFailure::ShortIo || *how == SimulatedFailure::ShortDiskFull};
}

std::set<std::string> SimulatedFileSystem::Disk::EntryChange::folders() const {
  std::set<std::string> result{parent(path)};
  if (kind == Kind::Rename) result.insert(parent(to));
  return result;
}

void SimulatedFileSystem::Disk::EntryChange::apply(Names& names) const {
  if (kind != Kind::Add) names.erase(path);
  if (kind == Kind::Add) names[path] = image;
  if (kind == Kind::Rename) names[to] = image;
}

void SimulatedFileSystem::Disk::add(const std::string& path, Image image) {
  pending_.push_back(EntryChange{EntryChange::Kind::Add, path, {}, std::move(image)});
  pending_.back().apply(live);
}

void SimulatedFileSystem::Disk::remove(const std::string& path) {
  pending_.push_back(EntryChange{EntryChange::Kind::Remove, path, {}, nullptr});
  pending_.back().apply(live);
}

Status SimulatedFileSystem::Disk::rename(const std::string& from, const std::string& to) {
  if (const auto failing = begin(SimulatedCall::Rename)) return os_error(failing->os_error, "cannot rename", from);
  const std::string source = normal(from);
  const std::string target = normal(to);
  const auto found = live.find(source);
  if (found == live.end() || !live.contains(parent(target))) return os_error(ENOENT, "cannot rename", from);
  const auto replaced = live.find(target);
  if (!found->second || (replaced != live.end() && !replaced->second)) return os_error(EISDIR, "cannot rename", from);
  if (source == target) return {};
  pending_.push_back(EntryChange{EntryChange::Kind::Rename, source, target, found->second});
  pending_.back().apply(live);
  return {};
}

void SimulatedFileSystem::Disk::sync_directory(const std::string& folder) {
  // A rename between two folders is one change: what it needs of the other folder becomes durable with it.
  std::set<std::string> folders{folder};
  std::vector<bool> chosen(pending_.size());
  for (std::size_t i = pending_.size(); i-- > 0;) {
    const auto touched = pending_[i].folders();
    chosen[i] = std::any_of(touched.begin(), touched.end(), [&](const auto& name) { return folders.contains(name); });
    if (chosen[i]) folders.insert(touched.begin(), touched.end());
  }
  std::vector<EntryChange> left;
  for (std::size_t i = 0; i < pending_.size(); ++i) {
    if (chosen[i]) pending_[i].apply(durable);
    if (!chosen[i]) left.push_back(std::move(pending_[i]));
  }
  pending_ = std::move(left);
}

std::uint64_t SimulatedFileSystem::Disk::used_bytes() const {
  std::uint64_t used = 0;
  for (const auto& [path, image] : live) used += image ? rounded_up(image->size()) : 0;
  return used;
}

FileInfo SimulatedFileSystem::Disk::info_of(const Image& image) const {
  if (!image) return FileInfo{.permissions = 0700, .links = 1};
  const auto links = std::count_if(live.begin(), live.end(), [&](const auto& name) { return name.second == image; });
  return FileInfo{.permissions = 0600,
                  .id = reinterpret_cast<std::uintptr_t>(image.get()),
                  .links = static_cast<std::uint64_t>(links),
                  .size = image->size()};
}

std::uint64_t SimulatedFileSystem::Disk::growth_limit(const SimulatedImage& image) const {
  if (!capacity) return std::numeric_limits<std::uint64_t>::max();
  const std::uint64_t used = used_bytes();
  const std::uint64_t left = *capacity > used ? (*capacity - used) / kBlockBytes * kBlockBytes : 0;
  return rounded_up(image.size()) + left;
}

void SimulatedFileSystem::Disk::crash() {
  std::map<std::string, std::uint64_t> survive;  // by folder, how many of its changes, in order
  for (const EntryChange& change : pending_) {
    for (const std::string& folder : change.folders()) ++survive[folder];
  }
  for (auto& [folder, count] : survive) count = chance.below(count + 1);
  for (const EntryChange& change : pending_) {
    const auto folders = change.folders();
    const bool survives =
        std::all_of(folders.begin(), folders.end(), [&](const auto& folder) { return survive[folder] > 0; });
    // The first lost change ends the prefix of every folder it touches.
    for (const std::string& folder : folders) survive[folder] = survives ? survive[folder] - 1 : 0;
    if (survives) change.apply(durable);
  }
  // Sorted by name, a folder comes before what is in it.
  for (auto entry = durable.begin(); entry != durable.end();) {
    entry = durable.contains(parent(entry->first)) ? std::next(entry) : durable.erase(entry);
  }
  std::map<SimulatedImage*, Image> next;
  for (auto& [path, image] : durable) {
    if (!image) continue;
    Image& replacement = next[image.get()];
    if (!replacement) replacement = image->after_power_cut(chance);
    image = replacement;
  }
  live = durable;
  pending_.clear();
  locks.clear();
  locked_files.clear();
  forget_failures();
  ++life;
}

void SimulatedFileSystem::Disk::kill() {
  std::map<SimulatedImage*, Image> next;
  const auto renew = [&](Image& image) {
    if (!image) return;
    Image& replacement = next[image.get()];
    if (!replacement) replacement = image->after_kill();
    image = replacement;
  };
  // The map that finds an old image's successor needs the old ones alive until all are replaced.
  const Names keep_live = live;
  const Names keep_durable = durable;
  const std::vector<EntryChange> keep_pending = pending_;
  for (auto& [path, image] : live) renew(image);
  for (auto& [path, image] : durable) renew(image);
  for (EntryChange& change : pending_) renew(change.image);
  locks.clear();
  locked_files.clear();
  forget_failures();
  ++life;
}

void SimulatedFileSystem::Disk::forget_failures() {
  power_cut = false;
  calls_to_power_cut.reset();
  fail_once.clear();
  fail_often.clear();
}

}  // namespace stele
