#include "api/access/authenticator.h"

#include <algorithm>
#include <utility>

#include "api/json/json_writer.h"
#include "engine/base/digest.h"

namespace stele::api {

namespace {

constexpr std::uint64_t kJwksBytesMax = 1U << 20;
constexpr std::string_view kScheme = "bearer ";
constexpr std::string_view kChallenge = R"(Bearer realm="stele")";
constexpr std::string_view kInvalidToken = R"(Bearer realm="stele", error="invalid_token")";

Result<JwkSet> load_jwks(FileSystem& files, const std::string& path) {
  STELE_ASSIGN(const std::unique_ptr<File> file, files.open(path, OpenMode::Read));
  STELE_ASSIGN(const std::uint64_t size, file->size());
  if (size > kJwksBytesMax) return Error{.kind = ErrorKind::TooLarge, .message = "the JWKS is too large", .file = path};
  std::string content(size, '\0');
  STELE_TRY(file->read_at(ByteOffset{0}, content));
  auto keys = JwkSet::parse(content);
  if (!keys) keys.error().file = path;
  return keys;
}

/// `token68` of RFC 9110.
bool is_token_text(std::string_view text) {
  const std::size_t end = text.find_last_not_of('=');
  if (end == std::string_view::npos) return false;
  return std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(end) + 1, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == '~' || c == '+' || c == '/';
  });
}

/// What follows the scheme; none if it is another one.
std::optional<std::string_view> bearer_credentials(std::string_view field) {
  if (field.size() < kScheme.size()) return std::nullopt;
  const bool bearer = std::equal(kScheme.begin(), kScheme.end(), field.begin(), [](char lower, char c) {
    return (c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c) == lower;
  });
  if (!bearer) return std::nullopt;
  field.remove_prefix(std::min(field.find_first_not_of(' ', kScheme.size()), field.size()));
  return field;
}

/// Without the file: where it lies is nobody's affair.
std::string details_of_trouble(Error error) {
  error.file.clear();
  std::string text;
  JsonWriter json(text);
  json.begin_object().key("error").string(printable(error.describe())).end_object();
  return text;
}

/// Makes details for the audit trail of what becomes of a file.
template <class T>
typename WatchedFile<T>::Told teller(std::string_view file, KeyFileTold told) {
  return [file, told = std::move(told)](const typename WatchedFile<T>::News& news) {
    using Kind = KeyFileNews::Kind;
    if (news.trouble != nullptr) return told({Kind::Unusable, file, details_of_trouble(*news.trouble)});
    if (news.before == nullptr) {
      for (std::string& details : details_of_keys(news.now->known())) told({Kind::Read, file, std::move(details)});
      return;
    }
    std::vector<std::string> pieces = details_of_change(news.before->known(), news.now->known());
    if (pieces.empty() && news.is_back) pieces.push_back(R"({"added":[],"removed":[],"changed":[]})");
    for (std::string& details : pieces) told({Kind::Changed, file, std::move(details)});
  };
}

}  // namespace

Authenticator::Authenticator(KeyStore keys, AuthenticatorOptions options)
    : options_(std::move(options)),
      clock_(options_.clock ? *options_.clock : system_clock()),
      key_store_(std::move(keys)),
      api_keys_([this] { return key_store_.look_at(kApiKeysFile); },
                [this]() -> Result<ApiKeyTable> {
                  STELE_ASSIGN(const std::vector<ApiKey> list, read_api_keys(key_store_));
                  return ApiKeyTable(list);
                },
                [this](const std::string& line) { options_.report("API keys: " + line); }, options_.look_interval),
      jwks_(
          [this]() -> Result<std::optional<FileInfo>> {
            STELE_ASSIGN(const FileInfo info, options_.files->look_at(options_.jwks_file));
            return std::optional(info);
          },
          [this] { return load_jwks(*options_.files, options_.jwks_file); },
          [this](const std::string& line) { options_.report("JWKS: " + line); }, options_.look_interval) {}

Result<std::shared_ptr<Authenticator>> Authenticator::open(KeyStore keys, AuthenticatorOptions options) {
  if (options.files == nullptr) options.files = &posix_file_system();
  std::shared_ptr<Authenticator> made(new Authenticator(std::move(keys), std::move(options)));
  STELE_TRY(made->api_keys_.start());
  if (!made->options_.jwks_file.empty()) STELE_TRY(made->jwks_.start());
  return made;
}

std::variant<Caller, Problem> Authenticator::authenticate(const Request& request) {
  const std::string_view field = request.header("Authorization");
  if (field.empty()) {
    return Problem("credentials-required", "Send Authorization: Bearer with an API key or a JWT.")
        .header("WWW-Authenticate", std::string(kChallenge));
  }
  const auto credentials = bearer_credentials(field);
  if (!credentials) {
    return Problem("credentials-required", "Only the scheme Bearer is understood.")
        .header("WWW-Authenticate", std::string(kChallenge));
  }
  const Outcome outcome = check(*credentials, request.remote_address());
  if (const auto* principal = std::get_if<std::shared_ptr<const Principal>>(&outcome)) return Caller(*principal);

  const auto too_many = [](std::int64_t seconds) {
    return Problem("too-many-requests", "Too many bad credentials came from this address.")
        .header("Retry-After", std::to_string(seconds));
  };
  if (const auto* wait = std::get_if<Wait>(&outcome)) return too_many(wait->seconds);
  if (const auto seconds = failures_.failed(request.remote_address(), clock_.monotonic_micros()))
    return too_many(*seconds);
  return Problem("invalid-credentials", std::string(std::get<std::string_view>(outcome)))
      .header("WWW-Authenticate", std::string(kInvalidToken));
}

std::shared_ptr<const Principal> Authenticator::granted(const Request& request, Permission needed) {
  return granted(request.header("Authorization"), request.remote_address(), needed);
}

std::shared_ptr<const Principal> Authenticator::granted(std::string_view authorization, std::string_view address,
                                                        Permission needed) {
  const auto credentials = bearer_credentials(authorization);
  if (!credentials) return nullptr;
  const Outcome outcome = check(*credentials, address);
  const auto* principal = std::get_if<std::shared_ptr<const Principal>>(&outcome);
  return principal != nullptr && grants((*principal)->role, needed) ? *principal : nullptr;
}

Authenticator::Outcome Authenticator::check(std::string_view credentials, std::string_view address) {
  if (!is_token_text(credentials)) return "What follows Bearer can be no API key and no JWT.";
  return credentials.starts_with(kApiKeyPrefix) ? check_api_key(credentials) : check_jwt(credentials, address);
}

Authenticator::Outcome Authenticator::check_api_key(std::string_view secret) {
  const auto keys = api_keys_.current();
  const ApiKeyTable::Entry* const found = keys->find(secret);
  if (found == nullptr) return "The API key is not known.";
  if (found->revoked) return "The API key was revoked.";
  if (found->expired(clock_.now())) return "The API key has expired.";
  return found->principal;
}

Authenticator::Outcome Authenticator::check_jwt(std::string_view token, std::string_view address) {
  if (options_.jwks_file.empty()) return "It is no API key, and JWTs are not taken here.";
  if (token.size() > kJwtBytesMax) return "The JWT is too long.";
  const auto keys = jwks_.current();
  const Digest digest = sha256({token});
  const Timestamp now = clock_.now();
  if (auto known = verified_.find(digest, keys, now)) return known;
  if (const auto seconds = failures_.must_wait(address, clock_.monotonic_micros())) return Wait{*seconds};
  const auto verified = verify_jwt(token, *keys, options_.jwt, now);
  if (const auto* error = std::get_if<JwtError>(&verified)) return *error;
  const auto& good = std::get<VerifiedJwt>(verified);
  verified_.put(digest, keys, good);
  return good.principal;
}

std::vector<Role> Authenticator::roles_of_keys(std::string_view name) {
  return api_keys_.current()->roles_of(name, clock_.now());
}

void Authenticator::look() {
  (void)api_keys_.current();
  if (!options_.jwks_file.empty()) (void)jwks_.current();
}

void Authenticator::tell(KeyFileTold told) {
  api_keys_.tell(told ? teller<ApiKeyTable>("api-keys", told) : nullptr);
  if (!options_.jwks_file.empty()) jwks_.tell(told ? teller<JwkSet>("jwks", told) : nullptr);
}

std::vector<std::string> Authenticator::warnings() const {
  std::vector<std::string> found;
  if (auto text = api_keys_.trouble(); !text.empty()) found.push_back("API keys: " + text);
  if (auto text = jwks_.trouble(); !text.empty()) found.push_back("JWKS: " + text);
  return found;
}

bool Authenticator::has_credentials() {
  return (!options_.jwks_file.empty() && jwks_.current()->size() > 0) || api_keys_.current()->has_usable(clock_.now());
}

}  // namespace stele::api
