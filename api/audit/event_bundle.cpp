#include "api/audit/event_bundle.h"

#include <simdjson.h>

#include <algorithm>

#include "api/audit/event_proof.h"
#include "api/json/json_writer.h"

namespace stele::api {

namespace {

constexpr std::string_view kBundleForm = "stele/bundle/v1";

Error no_bundle(std::string what) { return Error{.kind = ErrorKind::InvalidArgument, .message = std::move(what)}; }
Error not_as_signed(std::string what) { return Error{.kind = ErrorKind::Corrupt, .message = std::move(what)}; }

}  // namespace

std::string bundle_head_line(const BundleHead& head) {
  std::string line;
  JsonWriter json(line);
  json.begin_object().key("bundle").plain(kBundleForm).key("origin").string(head.origin);
  if (head.aggregate_id) {
    json.key("aggregateId").string(*head.aggregate_id);
  } else {
    if (!head.from.empty()) json.key("from").string(head.from);
    if (!head.to.empty()) json.key("to").string(head.to);
  }
  json.key("keys").begin_array();
  for (const std::string& vkey : head.vkeys) json.string(vkey);
  json.end_array().end_object();
  return line;
}

std::string bundle_end_line(std::uint64_t events) {
  std::string line;
  JsonWriter(line).begin_object().key("events").number(events).end_object();
  return line;
}

Status BundleVerifier::take(std::string_view line) {
  if (line.size() > kBundleLineBytesMax) return no_bundle("a line of the bundle is too long");
  if (has_end_) return no_bundle("there is more behind the end of the bundle");
  if (!has_head_) return take_head(line);
  // The end is the one line that is short and has no proof.
  simdjson::dom::parser parser;
  simdjson::dom::element object;
  std::uint64_t events = 0;
  if (line.size() < 100 && parser.parse(simdjson::padded_string(line)).get(object) == simdjson::SUCCESS &&
      object["events"].get(events) == simdjson::SUCCESS) {
    if (events != events_) {
      return not_as_signed("the bundle has " + std::to_string(events_) + " events, and its end says " +
                           std::to_string(events));
    }
    has_end_ = true;
    return {};
  }
  return take_event(line);
}

Status BundleVerifier::take_head(std::string_view line) {
  simdjson::dom::parser parser;
  simdjson::dom::element object;
  std::string_view text;
  if (parser.parse(simdjson::padded_string(line)).get(object) != simdjson::SUCCESS ||
      object["bundle"].get(text) != simdjson::SUCCESS) {
    return no_bundle("the first line is not the head of a bundle");
  }
  if (text != kBundleForm) return no_bundle("the bundle is of a form that is not known here");
  if (object["origin"].get(text) != simdjson::SUCCESS) return no_bundle("the head of the bundle names no log");
  head_.origin = text;
  if (object["aggregateId"].get(text) == simdjson::SUCCESS) head_.aggregate_id = text;
  if (object["from"].get(text) == simdjson::SUCCESS) head_.from = text;
  if (object["to"].get(text) == simdjson::SUCCESS) head_.to = text;
  simdjson::dom::array named;
  if (object["keys"].get(named) == simdjson::SUCCESS) {
    for (const simdjson::dom::element vkey : named) {
      if (vkey.get(text) != simdjson::SUCCESS) return no_bundle("a key in the head of the bundle is no text");
      head_.vkeys.emplace_back(text);
    }
    const bool names_trusted = std::any_of(keys_.begin(), keys_.end(), [&](const NoteVerifier& key) {
      return std::find(head_.vkeys.begin(), head_.vkeys.end(), key.vkey()) != head_.vkeys.end();
    });
    if (!names_trusted) return not_as_signed("the head of the bundle names no key that is trusted");
  }
  has_head_ = true;
  is_complete_ = head_.aggregate_id.has_value();
  return {};
}

Status BundleVerifier::take_event(std::string_view line) {
  auto proof = read_event_proof(line);
  if (!proof) return std::move(proof).error();
  const std::string which = "the event at position " + std::to_string(proof->index);
  if (!proof->leaf) return no_bundle(which + " has no leaf");
  if (proof->checkpoint.origin != head_.origin) return not_as_signed(which + " is of another log");
  if (Status holds = verify_event_proof(*proof, *proof->leaf, keys_, record_); !holds) {
    holds.error().message = which + ": " + holds.error().message;
    return holds;
  }
  const RecordHeader& header = record_.header();
  if (events_ > 0 && proof->index <= last_position_) {
    return not_as_signed(which + " stands behind one at position " + std::to_string(last_position_));
  }
  if (head_.aggregate_id && header.aggregate_id != *head_.aggregate_id) {
    return not_as_signed(which + " is of another aggregate");
  }
  ++events_;
  last_position_ = proof->index;
  tree_size_ = std::max(tree_size_, proof->checkpoint.size);
  is_complete_ = is_complete_ && header.sequence.value() == events_;
  const auto& members = proof->leaf->members;
  // Private fields are shown to nobody.
  if (std::any_of(members.begin(), members.begin() + 2,
                  [](const auto& member) { return member && member->digest.has_value(); })) {
    ++redacted_;
  }
  return {};
}

Status BundleVerifier::finish() const {
  if (has_end_) return {};
  return no_bundle(has_head_ ? "the bundle has no end: it was cut off" : "the bundle is empty");
}

}  // namespace stele::api
