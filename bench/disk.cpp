// stele_disk: the raw cost of a durable write, 4 KiB at a time with fdatasync on a zero-filled, prepared file.

#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "bench/histogram.h"

namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

/// A file that exists only as long as this object.
class ScratchFile {
 public:
  explicit ScratchFile(const std::string& folder) : path_(folder + "/stele_disk.XXXXXX") {
    file_ = ::mkstemp(path_.data());
    if (file_ < 0) fail(path_.c_str());
    ::unlink(path_.c_str());
  }
  ~ScratchFile() { ::close(file_); }
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;

  void write(const std::vector<char>& block, std::uint64_t offset) const {
    if (::pwrite(file_, block.data(), block.size(), static_cast<off_t>(offset)) != static_cast<ssize_t>(block.size())) {
      fail("pwrite");
    }
  }
  void sync() const {
    if (::fdatasync(file_) != 0) fail("fdatasync");
  }

 private:
  std::string path_;
  int file_ = -1;
};

/// Nanoseconds this thread has waited for a CPU although it could run; 0 where the kernel does not tell.
std::uint64_t cpu_wait_nanos() {
  std::ifstream file("/proc/thread-self/schedstat");
  std::uint64_t run = 0;
  std::uint64_t waited = 0;
  file >> run >> waited;
  return file ? waited : 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::string folder = ".";
  double seconds = 3;
  std::size_t block_bytes = 4096;
  std::size_t file_mib = 64;
  bool json = false;
  CLI::App app{"Measures pwrite + fdatasync on a prepared file."};
  app.add_option("--folder", folder, "where the scratch file goes")->capture_default_str();
  app.add_option("--seconds", seconds, "how long to measure")->check(CLI::Range(0.1, 600.0))->capture_default_str();
  app.add_option("--block", block_bytes, "bytes a write")->check(CLI::Range(1, 16 << 20))->capture_default_str();
  app.add_option("--file-mib", file_mib, "size of the prepared file")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  app.add_flag("--json", json, "print JSON");
  CLI11_PARSE(app, argc, argv);
  try {
    const ScratchFile file(folder);
    const std::uint64_t file_bytes = std::uint64_t{file_mib} << 20;
    const std::vector<char> zeros(1 << 20, '\0');
    for (std::uint64_t at = 0; at < file_bytes; at += zeros.size()) file.write(zeros, at);
    file.sync();

    const std::vector<char> block(block_bytes, 'x');
    auto latency = std::make_unique<stele::bench::Histogram>();
    const std::uint64_t waited_before = cpu_wait_nanos();
    const auto begin = Clock::now();
    const auto end = begin + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    auto now = begin;
    for (std::uint64_t at = 0; now<end; at = at + 2 * block_bytes> file_bytes ? 0 : at + block_bytes) {
      const auto started = now;
      file.write(block, at);
      file.sync();
      now = Clock::now();
      latency->record(static_cast<std::uint64_t>((now - started).count()));
    }
    const double elapsed = std::chrono::duration<double>(now - begin).count();
    const double rate = static_cast<double>(latency->count()) / elapsed;
    // On a busy machine a write is slow because the thread waits for a CPU, which says nothing about the disk.
    const double cpu_wait = static_cast<double>(cpu_wait_nanos() - waited_before) / 1e9 / elapsed;
    const auto micros = [&](double fraction) { return static_cast<double>(latency->quantile(fraction)) / 1000; };
    const double max_us = static_cast<double>(latency->max()) / 1000;
    if (json) {
      std::printf(
          "{\"block_bytes\": %zu, \"writes\": %lu, \"writes_per_second\": %.1f, \"p50_us\": %.1f, \"p99_us\": %.1f, "
          "\"max_us\": %.1f, \"cpu_wait_share\": %.4f}\n",
          block_bytes, latency->count(), rate, micros(0.5), micros(0.99), max_us, cpu_wait);
    } else {
      std::printf(
          "%zu-byte pwrite + fdatasync, %lu times: %.0f/s, p50 %.1f us, p99 %.1f us, max %.1f us; waited %.1f %% of "
          "the "
          "time for a CPU\n",
          block_bytes, latency->count(), rate, micros(0.5), micros(0.99), max_us, cpu_wait * 100);
    }
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "stele_disk: " << error.what() << "\n";
    return 2;
  }
}
