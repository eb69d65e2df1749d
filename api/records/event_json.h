#pragma once
// A record as the API shows it.

#include <string>

#include "engine/log/record.h"

namespace stele::api {

class RedactionNotes;

enum class DataForm {
  AsSent,    ///< byte for byte
  Minified,  ///< without white space outside strings, so that the event fits on one line
};

/// Appends one JSON object. Members that the record does not have are left out; `redacted` names those whose bytes were
/// removed, and `redaction` says when that was asked for, if there are notes of it.
void append_event_json(std::string& to, const Record& record, DataForm form, const RedactionNotes* notes = nullptr);

/// Appends `,"redacted":[…],"redaction":{…}`, the latter if there are notes of it. Private members are named of actions
/// only: events do not show that they have any.
void append_redacted_json(std::string& to, const Record& record, const RedactionNotes* notes);

/// The same of an event without its body: a receipt.
void append_receipt_json(std::string& to, const RecordHeader& header);

/// The same of a record without `data`: what a script is told of an event beside its data.
void append_envelope_json(std::string& to, const Record& record);

}  // namespace stele::api
