#include "api/audit/event_proof_json.h"

#include "api/json/json_writer.h"
#include "engine/base/base64.h"
#include "engine/base/digest.h"
#include "engine/base/uuid.h"

namespace stele::api {

namespace {

std::string_view bytes_of_salt(const Salt& salt) { return {reinterpret_cast<const char*>(salt.data()), salt.size()}; }

/// What a member of the body adds to the leaf: its bytes and their salt, or the digest of both. What only the store may
/// see is shown as a digest.
void add_member(JsonWriter& json, const Record& record, BodyMember member, std::string_view name,
                std::optional<std::uint32_t> length) {
  if (!length) return;
  json.key(name).begin_object();
  const auto bytes = record.bytes_of(member);
  if (bytes && member != BodyMember::Private) {
    json.key("salt").plain(base64_encode(bytes_of_salt(*record.salt(member))));
    json.key("bytes").plain(base64_encode(*bytes));
  } else {
    json.key("digest").plain(base64_encode(as_bytes(record.member_digest(member))));
  }
  json.end_object();
}

}  // namespace

std::string event_proof_json(const Record& record, std::span<const Digest> path, std::uint64_t tree_size,
                             std::string_view note) {
  const RecordHeader& header = record.header();
  const Digest body = record.body_digest();
  std::string text;
  JsonWriter json(text);
  json.begin_object().key("eventId").plain(to_string(header.event_id)).key("index").number(header.position.value());
  json.key("treeSize").number(tree_size).key("hashes").begin_array();
  for (const Digest& hash : path) json.plain(base64_encode(as_bytes(hash)));
  json.end_array().key("checkpoint").string(note);
  json.key("leaf").begin_object();
  json.key("preimage").plain(base64_encode(std::string(record.header_bytes()).append(as_bytes(body))));
  json.key("leafHash").plain(base64_encode(as_bytes(leaf_hash(record.header_bytes(), body))));
  json.key("bodyDigest").plain(base64_encode(as_bytes(body)));
  json.key("members").begin_object();
  add_member(json, record, BodyMember::Data, "data", header.data_length);
  add_member(json, record, BodyMember::Metadata, "metadata", header.metadata_length);
  add_member(json, record, BodyMember::Private, "private", header.private_length);
  json.end_object().end_object().end_object();
  return text;
}

}  // namespace stele::api
