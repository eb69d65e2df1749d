#pragma once
// Where signed checkpoints are kept: all of the last day, one an hour before that, all that were witnessed for ever.
// format-spec.md, "Checkpoints". They are what a log that was cut or rewritten is recognized by, so that none is
// published before it is durable here.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/audit/checkpoint.h"
#include "engine/audit/signed_note.h"
#include "engine/base/file_system.h"
#include "engine/base/mutex.h"
#include "engine/base/result.h"

namespace stele {

struct KeptCheckpoint {
  Timestamp time;          ///< when it was signed
  bool witnessed = false;  ///< it has a cosignature
  Checkpoint checkpoint;   ///< what the note says
  SignedNote note;
};

/// What no crash leaves behind: somebody or something changed it later.
struct CheckpointDamage {
  std::string text;  ///< without its full stop
  std::string file;
  std::uint64_t offset = 0;  ///< in the file
};

struct KeptCheckpoints {
  std::vector<KeptCheckpoint> all;  ///< by size; of one size there may be several if their texts differ
  std::vector<CheckpointDamage> damage;
  std::vector<std::string> notes;  ///< what a crash may have left, in words
};

/// Reads all that there are; no folder, none. Anything that is not whole is passed over and told. Nothing is written.
[[nodiscard]] Result<KeptCheckpoints> read_checkpoints(FileSystem& files, const std::string& folder,
                                                       const Uuid& store_id);

struct CheckpointFolderOptions {
  FileSystem* file_system = nullptr;  ///< must outlive it
  std::string folder;                 ///< made with the first checkpoint
  Uuid store_id;
  /// The folder is still the one that the log is in; asked before files are made, renamed or removed. Any thread.
  std::function<Status()> in_place;
};

/// Thread-safe. An error leaves what was added before as it is; the same may be tried again.
class CheckpointFolder {
 public:
  /// Finds the newest checkpoint. Io: a file cannot be read, so that it is not known which one is the newest.
  [[nodiscard]] static Result<std::unique_ptr<CheckpointFolder>> open(CheckpointFolderOptions options);
  ~CheckpointFolder();
  CheckpointFolder(const CheckpointFolder&) = delete;

  /// The one of the greatest size, with all signatures that were added.
  [[nodiscard]] std::optional<KeptCheckpoint> newest() const;
  /// Durable on return. InvalidArgument: the note is no checkpoint. A note of a text that is there already adds its
  /// signatures to it.
  [[nodiscard]] Status add(const SignedNote& note, Timestamp time, bool witnessed);
  /// Removes those that need not be kept, as of `now`. To be called once an hour or so; what one call reads and writes
  /// is bounded by about a day's checkpoints.
  [[nodiscard]] Status thin(Timestamp now);
  /// Nothing is written any more: Closed. Idempotent.
  void close();
  /// What was not whole when the folder was opened.
  [[nodiscard]] const std::vector<std::string>& notes() const { return notes_; }

 private:
  explicit CheckpointFolder(CheckpointFolderOptions options) : options_(std::move(options)) {}
  [[nodiscard]] std::string path_of(std::uint64_t number) const;
  [[nodiscard]] Status begin_file(Timestamp time) REQUIRES(mutex_);

  const CheckpointFolderOptions options_;
  std::vector<std::string> notes_;
  mutable Mutex mutex_;
  std::optional<KeptCheckpoint> newest_ GUARDED_BY(mutex_);
  // What is being written to. Never one that was there before: nothing is written behind what may not be whole.
  std::unique_ptr<File> file_ GUARDED_BY(mutex_);
  std::int64_t file_hour_ GUARDED_BY(mutex_) = 0;
  std::uint64_t file_end_ GUARDED_BY(mutex_) = 0;
  std::uint64_t last_number_ GUARDED_BY(mutex_) = 0;
  bool closed_ GUARDED_BY(mutex_) = false;
};

}  // namespace stele
