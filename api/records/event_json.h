#pragma once
// A record as the API shows it.

#include <string>

#include "engine/log/record.h"

namespace stele::api {

struct AliasTable;
struct EventNotes;
struct Upcast;

enum class DataForm {
  AsSent,    ///< byte for byte
  Minified,  ///< without white space outside strings, so that the event fits on one line
};

/// Appends one JSON object. Members that the record does not have are left out; `redacted` names those whose bytes were
/// removed, and `redaction` says when that was asked for, if there are notes of it. An event whose type has an alias
/// has that as `eventType`, and `storedEventType` beside it.
/// `upcast`: in which version of its schema it is shown; null = as it is stored. One that is not the stored one has
/// `storedVersion` beside it, and one that could not be made `upcastError`.
void append_event_json(std::string& to, const Record& record, DataForm form, const EventNotes* notes = nullptr,
                       const Upcast* upcast = nullptr);

/// Appends `,"redacted":[…],"redaction":{…}`, the latter if there are notes of it. Private members are named of actions
/// only: events do not show that they have any.
void append_redacted_json(std::string& to, const Record& record, const EventNotes* notes);

/// The same of an event without its body, by the name that it is stored under: a receipt.
void append_receipt_json(std::string& to, const RecordHeader& header);

/// The same of a record without `data`: what a script is told of an event beside its data. `upcast` says in which
/// version that is; null = in the stored one. `aliases`, or null: for its type.
void append_envelope_json(std::string& to, const Record& record, const Upcast* upcast = nullptr,
                          const AliasTable* aliases = nullptr);

/// The same without what only the store knows: `aggregateType`, `sequenceNumber`, `position`, `timestamp`. What an
/// upcaster is told: it has to make the same of an event before it is stored.
void append_sent_envelope_json(std::string& to, const Record& record);

}  // namespace stele::api
