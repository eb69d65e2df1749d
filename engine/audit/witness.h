#pragma once
// A witness of logs (C2SP tlog-witness, tlog-cosignature): cosigns a checkpoint of a log that it knows if it continues
// the one that it has cosigned last, and keeps that one durably before it does. So it never cosigns two histories.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/audit/checkpoint.h"
#include "engine/audit/note_key.h"
#include "engine/audit/witness_request.h"
#include "engine/base/clock.h"
#include "engine/base/file_system.h"
#include "engine/base/mutex.h"
#include "engine/base/result.h"

namespace stele {

struct WitnessOptions {
  FileSystem* file_system = nullptr;  ///< must outlive it
  const Clock* clock = nullptr;       ///< the same; cosignatures have its time
  std::string folder;                 ///< made if it is missing; format-spec.md, "State of a witness"
  NoteSigner signer;                  ///< of cosignatures
  std::vector<NoteVerifier> logs;     ///< a key's name is the origin of its log; of one log there may be several
};

struct WitnessAnswer {
  enum class Kind : std::uint8_t {
    Cosigned,
    Malformed,
    UnknownLog,
    UnsignedByLog,  ///< by none of the keys that are known of the log
    SizesReversed,  ///< the old size is beyond the checkpoint's
    OtherSize,      ///< the last one cosigned has not the old size
    OtherRoot,      ///< of the same size another root was cosigned: a fork
    Inconsistent,   ///< the proof does not hold: a fork, or it is wrong
    Failed,         ///< it cannot be kept
  };
  Kind kind = Kind::Failed;
  std::uint64_t size = 0;      ///< of OtherSize, OtherRoot: of the last checkpoint cosigned
  std::string cosignatures{};  ///< lines, of Cosigned
  std::string detail{};        ///< why not, in words
};

/// Thread-safe.
class Witness {
 public:
  /// Takes the lock of the folder. Corrupt: a state is not whole; a witness that forgot it could be led into a fork.
  [[nodiscard]] static Result<std::unique_ptr<Witness>> open(WitnessOptions options);
  Witness(const Witness&) = delete;

  /// `request`: see witness_request.h. What it cosigns is durable before it returns. May wait for the disk.
  [[nodiscard]] WitnessAnswer add_checkpoint(std::string_view request);
  [[nodiscard]] const NoteVerifier& verifier() const { return options_.signer.verifier(); }
  /// The last checkpoint cosigned of each log that there is one of.
  [[nodiscard]] std::vector<Checkpoint> cosigned() const;

 private:
  explicit Witness(WitnessOptions options) : options_(std::move(options)) {}
  [[nodiscard]] std::string path_of(std::string_view origin) const;
  [[nodiscard]] Status read_state(const std::string& origin) REQUIRES(mutex_);
  [[nodiscard]] Status write_state(const Checkpoint& checkpoint, const SignedNote& note) REQUIRES(mutex_);

  const WitnessOptions options_;
  std::unique_ptr<FolderLock> lock_;
  mutable Mutex mutex_;  // held from the look at what was cosigned last until the next is durable
  std::map<std::string, Checkpoint, std::less<>> cosigned_ GUARDED_BY(mutex_);  // by origin
};

}  // namespace stele
