#pragma once
// Appends lines of events through the HTTP API, in order, in batches whose borders depend on the input alone.
//
// Why it may be run again: a batch is one commit of the store, and the same lines make the same batches, so a second
// run is answered from what is stored. Lines without eventId get one that is derived from the batch's bytes and its
// place in the input. Where parts of a batch are stored already in other commits, its lines are sent one by one.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "engine/base/result.h"
#include "tools/cli/progress.h"
#include "tools/client/http_client.h"
#include "tools/client/line_reader.h"
#include "tools/client/retry.h"

namespace stele::tools {

struct ImportOptions {
  std::uint64_t batch_lines = 500;
  std::size_t batch_bytes_max = 4U << 20;
  bool strict = false;  ///< stop at the first bad line, with nothing behind it sent
  std::chrono::microseconds retry_for = std::chrono::minutes{2};
  bool quiet = false;
  bool exported = false;  ///< lines are as the API shows events: what the server gives is taken out of them
};

struct ImportCounts {
  std::uint64_t stored = 0;
  std::uint64_t already_there = 0;
  std::uint64_t bad = 0;
  std::uint64_t left_out = 0;   ///< the store's own records in an export
  std::uint64_t last_line = 0;  ///< everything up to this line has been dealt with
};

/// One thread.
class Importer {
 public:
  Importer(HttpClient& client, const ImportOptions& options, Progress& progress);

  /// Sends everything. An error means that it stopped early: the input cannot be read, or the server cannot be reached
  /// or refuses to talk. Bad lines are no error here; with `strict` the first one ends the run (see
  /// stopped_by_bad_line()).
  [[nodiscard]] Status run(LineReader& reader);
  [[nodiscard]] const ImportCounts& counts() const { return counts_; }
  [[nodiscard]] bool stopped_by_bad_line() const { return stopped_; }

 private:
  struct Pending {
    std::uint64_t number;
    std::string text;
  };

  [[nodiscard]] Status take(Line& line);
  [[nodiscard]] Status flush();
  /// Sends a batch that was cut short; not one whose derived ids would be others when it is whole.
  [[nodiscard]] Status flush_before_stop();
  /// The batch as one commit; what cannot go that way goes one by one.
  [[nodiscard]] Status send_together();
  [[nodiscard]] Status send_one_by_one();
  [[nodiscard]] Result<HttpResponse> post(std::string_view content_type, std::string_view body,
                                          std::uint64_t first_line);
  void count_accepted(const HttpResponse& response, std::uint64_t events);
  void report_bad(std::uint64_t line, std::string_view why);
  void forget_batch();

  ImportOptions options_;
  Progress& progress_;
  RetryingSender sender_;
  ImportCounts counts_;
  bool stopped_ = false;
  bool warned_of_missing_ids_ = false;

  std::vector<Pending> batch_;
  std::uint64_t batch_slots_ = 0;  ///< lines that count towards the batch's size, bad ones included
  std::size_t batch_bytes_ = 0;
  bool batch_lacks_ids_ = false;
  std::unordered_set<std::string> batch_ids_;
};

}  // namespace stele::tools
