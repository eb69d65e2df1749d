#pragma once
// The files of the private keys that sign checkpoints: the current one in PEM, and beside it, in one file, those that
// still sign since they were rotated out. In the key store, or where the operator wants them.

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/access/key_store.h"
#include "engine/audit/note_key.h"
#include "engine/base/result.h"

namespace stele::api {

struct SigningKeySet {
  std::optional<NoteSigner> current;  ///< none: there is no file
  std::vector<NoteSigner> before;     ///< the newest first
  /// The operator has said that the key before is lost, so that nothing endorses this one.
  std::optional<std::string> unendorsed_vkey;
};

/// Thread-safe, also against other processes that change the same files.
class SigningKeyFiles {
 public:
  /// `name` is that of the keys, the log's origin. `file`: of the current key; empty = `checkpoint.key` in `folder`.
  /// The folder of either must be its owner's alone (KeyStore); it is made if `if_missing` says so. `files` must
  /// outlive it.
  [[nodiscard]] static Result<SigningKeyFiles> open(FileSystem& files, std::string name, const std::string& folder,
                                                    const std::string& file, KeyStore::IfMissing if_missing);

  [[nodiscard]] const std::string& folder() const { return store_.folder(); }
  [[nodiscard]] Result<SigningKeySet> read() const;
  /// Changes with each change of the files.
  [[nodiscard]] Result<std::vector<FileInfo>> look() const;
  /// InvalidArgument if there is one. Durable on return, as all of these.
  [[nodiscard]] Result<NoteVerifier> create();
  /// Another key becomes the current one; what was it goes on signing until forget(). `lost`: there is none that could
  /// endorse it, or none that is to be trusted; those before sign no more.
  [[nodiscard]] Result<NoteVerifier> rotate(bool lost);
  /// The key is not needed any more, nor is what was said of lost ones.
  [[nodiscard]] Status forget(const NoteVerifier& key);

 private:
  SigningKeyFiles(KeyStore store, std::string name, std::string file)
      : store_(std::move(store)), name_(std::move(name)), file_(std::move(file)) {}
  [[nodiscard]] std::string before_file() const { return file_ + ".before"; }
  [[nodiscard]] std::string lost_file() const { return file_ + ".unendorsed"; }
  [[nodiscard]] Status write_before(const std::vector<NoteSigner>& keys) const;

  KeyStore store_;
  std::string name_;
  std::string file_;
};

}  // namespace stele::api
