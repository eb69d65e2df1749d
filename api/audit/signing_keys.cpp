#include "api/audit/signing_keys.h"

#include <algorithm>

namespace stele::api {

namespace {

constexpr std::string_view kDefaultFile = "checkpoint.key";
constexpr std::string_view kPemEnd = "-----END PRIVATE KEY-----\n";
constexpr std::size_t kEarlierKeysMax = 100;

Error no_key_error(std::string message, const std::string& path) {
  return Error{.kind = ErrorKind::InvalidArgument, .message = std::move(message), .file = path};
}

Result<NoteSigner> read_pem(const std::string& name, std::string_view pem, const std::string& path) {
  auto key = NoteSigner::from_pem(name, NoteKeyKind::Ed25519, pem);
  if (!key) return no_key_error(key.error().message, path);
  return key;
}

}  // namespace

Result<SigningKeyFiles> SigningKeyFiles::open(FileSystem& files, std::string name, const std::string& folder,
                                              const std::string& file, KeyStore::IfMissing if_missing) {
  const auto slash = file.rfind('/');
  const std::string in = file.empty()                 ? folder
                         : slash == std::string::npos ? "."
                                                      : file.substr(0, std::max(slash, std::size_t{1}));
  STELE_ASSIGN(KeyStore store, KeyStore::open(files, in, if_missing));
  return SigningKeyFiles(
      std::move(store), std::move(name),
      file.empty() ? std::string(kDefaultFile) : file.substr(slash == std::string::npos ? 0 : slash + 1));
}

Result<SigningKeySet> SigningKeyFiles::read() const {
  SigningKeySet set;
  STELE_ASSIGN(const auto current, store_.read(file_));
  if (current) {
    STELE_ASSIGN(set.current, read_pem(name_, *current, folder() + "/" + file_));
  }
  STELE_ASSIGN(const auto before, store_.read(before_file()));
  for (std::string_view rest = before ? std::string_view(*before) : std::string_view(); !rest.empty();) {
    const auto end = rest.find(kPemEnd);
    if (end == std::string_view::npos || set.before.size() == kEarlierKeysMax) {
      return no_key_error("this is not one private key in PEM behind the other", folder() + "/" + before_file());
    }
    STELE_ASSIGN(NoteSigner key, read_pem(name_, rest.substr(0, end + kPemEnd.size()), folder() + "/" + before_file()));
    if (!set.current || key.verifier() != set.current->verifier()) set.before.push_back(std::move(key));
    rest.remove_prefix(end + kPemEnd.size());
  }
  STELE_ASSIGN(set.unendorsed_vkey, store_.read(lost_file()));
  return set;
}

Result<std::vector<FileInfo>> SigningKeyFiles::look() const {
  std::vector<FileInfo> all;
  for (const std::string& name : {file_, before_file(), lost_file()}) {
    STELE_ASSIGN(const auto info, store_.look_at(name));
    all.push_back(info.value_or(FileInfo{}));
  }
  return all;
}

Result<NoteVerifier> SigningKeyFiles::create() {
  STELE_ASSIGN(const auto lock, store_.lock());
  STELE_ASSIGN(const auto current, store_.read(file_));
  if (current) return no_key_error("there is a key already", folder() + "/" + file_);
  STELE_ASSIGN(const NoteSigner key, NoteSigner::generate(name_, NoteKeyKind::Ed25519));
  STELE_TRY(store_.write(file_, key.to_pem()));
  return key.verifier();
}

Result<NoteVerifier> SigningKeyFiles::rotate(bool lost) {
  STELE_ASSIGN(const auto lock, store_.lock());
  STELE_ASSIGN(const NoteSigner key, NoteSigner::generate(name_, NoteKeyKind::Ed25519));
  if (lost) {
    // What is there may be damaged or in a stranger's hands: it neither vouches for the new one nor signs on.
    STELE_TRY(store_.remove(before_file()));
    STELE_TRY(store_.write(lost_file(), key.verifier().vkey()));
  } else {
    STELE_ASSIGN(SigningKeySet set, read());
    if (!set.current) return no_key_error("there is no key to rotate", folder() + "/" + file_);
    // The old one first: at no time is it only in memory.
    set.before.insert(set.before.begin(), *set.current);
    STELE_TRY(write_before(set.before));
  }
  STELE_TRY(store_.write(file_, key.to_pem()));
  return key.verifier();
}

Status SigningKeyFiles::forget(const NoteVerifier& key) {
  STELE_ASSIGN(const auto lock, store_.lock());
  STELE_ASSIGN(SigningKeySet set, read());
  if (set.unendorsed_vkey) STELE_TRY(store_.remove(lost_file()));
  const auto gone = std::remove_if(set.before.begin(), set.before.end(),
                                   [&](const NoteSigner& one) { return one.verifier() == key; });
  if (gone == set.before.end()) return {};
  set.before.erase(gone, set.before.end());
  return write_before(set.before);
}

Status SigningKeyFiles::write_before(const std::vector<NoteSigner>& keys) const {
  if (keys.empty()) return store_.remove(before_file());
  std::string pems;
  for (const NoteSigner& key : keys) pems += key.to_pem();
  return store_.write(before_file(), pems);
}

}  // namespace stele::api
