#include "api/subscriptions/subscription_secrets.h"

#include <openssl/crypto.h>
#include <simdjson.h>

#include <algorithm>

#include "api/json/json_writer.h"
#include "api/json/timestamp.h"

namespace stele::api {

namespace dom = simdjson::dom;

namespace {

constexpr std::uint64_t kSecretsVersion = 1;

/// Names come from requests too.
bool is_file_name(std::string_view id) {
  return !id.empty() && id.size() <= 64 && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

std::string file_of(std::string_view id) { return std::string(id) + ".json"; }

/// Wipes a text when it goes.
class Wiped {
 public:
  explicit Wiped(std::string text) : text_(std::move(text)) {}
  ~Wiped() { OPENSSL_cleanse(text_.data(), text_.size()); }
  Wiped(const Wiped&) = delete;
  Wiped& operator=(const Wiped&) = delete;
  [[nodiscard]] std::string& text() { return text_; }

 private:
  std::string text_;
};

void write_secrets(JsonWriter& json, const SubscriptionSecrets& secrets) {
  json.begin_object().key("version").number(kSecretsVersion).key("signing").begin_array();
  for (const SubscriptionSecrets::Signing& signing : secrets.signing) {
    json.begin_object().key("secret").plain(signing.secret.text());
    if (signing.until) json.key("until").plain(format_timestamp(*signing.until));
    json.end_object();
  }
  json.end_array().key("headers").begin_array();
  for (const auto& [name, value] : secrets.headers) {
    json.begin_object().key("name").string(name).key("value").string(value).end_object();
  }
  json.end_array();
  if (secrets.tls) {
    json.key("tls").begin_object().key("ca").string(secrets.tls->ca);
    json.key("clientCertificate").string(secrets.tls->client_certificate);
    json.key("clientKey").string(secrets.tls->client_key).end_object();
  }
  json.end_object();
}

bool read_text(const dom::object& object, std::string_view name, std::string& to) {
  std::string_view text;
  if (object[name].get(text) != simdjson::SUCCESS) return false;
  to = text;
  return true;
}

std::optional<SubscriptionSecrets::Signing> read_signing(const dom::element& element) {
  std::string_view text, until;
  if (element["secret"].get(text) != simdjson::SUCCESS) return std::nullopt;
  const auto secret = WebhookSecret::parse(text);
  if (!secret) return std::nullopt;
  SubscriptionSecrets::Signing read{*secret, std::nullopt};
  if (element["until"].error() == simdjson::NO_SUCH_FIELD) return read;
  if (element["until"].get(until) != simdjson::SUCCESS) return std::nullopt;
  read.until = parse_timestamp(until, FinerTimes::Refuse);
  if (!read.until) return std::nullopt;
  return read;
}

std::optional<SubscriptionSecrets> read_secrets(const dom::object& object) {
  SubscriptionSecrets read;
  dom::array signing, headers;
  if (object["signing"].get(signing) != simdjson::SUCCESS || object["headers"].get(headers) != simdjson::SUCCESS) {
    return std::nullopt;
  }
  for (const dom::element element : signing) {
    auto one = read_signing(element);
    if (!one) return std::nullopt;
    read.signing.push_back(*std::move(one));
  }
  for (const dom::element element : headers) {
    dom::object field;
    auto& [name, value] = read.headers.emplace_back();
    if (element.get(field) != simdjson::SUCCESS || !read_text(field, "name", name) ||
        !read_text(field, "value", value)) {
      return std::nullopt;
    }
  }
  if (object["tls"].error() == simdjson::NO_SUCH_FIELD) return read;
  dom::object tls;
  read.tls.emplace();
  if (object["tls"].get(tls) != simdjson::SUCCESS || !read_text(tls, "ca", read.tls->ca) ||
      !read_text(tls, "clientCertificate", read.tls->client_certificate) ||
      !read_text(tls, "clientKey", read.tls->client_key)) {
    return std::nullopt;
  }
  return read;
}

}  // namespace

std::vector<WebhookSecret> SubscriptionSecrets::valid_at(Timestamp now) const {
  std::vector<WebhookSecret> valid;
  for (const Signing& one : signing) {
    if (!one.until || now < *one.until) valid.push_back(one.secret);
  }
  return valid;
}

SubscriptionSecretStore::SubscriptionSecretStore(FileSystem& files, std::string folder)
    : files_(files), folder_(std::move(folder)) {}

Result<std::optional<SubscriptionSecrets>> SubscriptionSecretStore::find(std::string_view subscription_id) const {
  if (!is_file_name(subscription_id)) return std::optional<SubscriptionSecrets>();
  auto store = KeyStore::open(files_, folder_, KeyStore::IfMissing::Fail);
  if (!store) {
    if (store.error().kind == ErrorKind::NotFound) return std::optional<SubscriptionSecrets>();
    return std::move(store).error();
  }
  STELE_ASSIGN(std::optional<std::string> content, store->read(file_of(subscription_id)));
  if (!content) return std::optional<SubscriptionSecrets>();
  Wiped text(*std::move(content));
  const auto broken = [&](ErrorKind kind, std::string message) {
    return Error{.kind = kind, .message = std::move(message), .file = store->folder() + "/" + file_of(subscription_id)};
  };
  dom::parser parser;
  dom::object object;
  std::uint64_t version = 0;
  if (parser.parse(text.text()).get(object) != simdjson::SUCCESS ||
      object["version"].get(version) != simdjson::SUCCESS) {
    return broken(ErrorKind::Corrupt, "the secrets of a subscription are no JSON object with a version");
  }
  if (version != kSecretsVersion) {
    return broken(ErrorKind::NewerFormat, "the secrets of a subscription were written by another version of stele");
  }
  std::optional<SubscriptionSecrets> secrets = read_secrets(object);
  if (!secrets) return broken(ErrorKind::Corrupt, "the secrets of a subscription cannot be read");
  return secrets;
}

Status SubscriptionSecretStore::put(std::string_view subscription_id, const SubscriptionSecrets& secrets) {
  if (!is_file_name(subscription_id)) {
    return Error{.kind = ErrorKind::InvalidArgument, .message = "the id of a subscription can be no file's name"};
  }
  STELE_ASSIGN(const KeyStore store, KeyStore::open(files_, folder_, KeyStore::IfMissing::Create));
  Wiped text({});
  JsonWriter json(text.text());
  write_secrets(json, secrets);
  text.text() += '\n';
  return store.write(file_of(subscription_id), text.text());
}

Status SubscriptionSecretStore::remove(std::string_view subscription_id) {
  if (!is_file_name(subscription_id)) return {};
  auto store = KeyStore::open(files_, folder_, KeyStore::IfMissing::Fail);
  if (!store) {
    if (store.error().kind == ErrorKind::NotFound) return {};
    return std::move(store).error();
  }
  return store->remove(file_of(subscription_id));
}

}  // namespace stele::api
