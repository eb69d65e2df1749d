#pragma once
// For whoever keeps records in memory before he shows them.

#include <memory>

#include "api/records/event_notes.h"
#include "engine/base/result.h"
#include "engine/store/store.h"

namespace stele::api {

/// Whether what is in memory may be more than the log still has. Null `notes`: it never is.
[[nodiscard]] inline bool may_be_outdated(const Record& record, const EventNotes* notes) {
  return notes != nullptr && notes->redactions.of(record.header()).has_value();
}

/// The record as the log has it now. May wait for a disk; errors of reading.
[[nodiscard]] inline Result<std::shared_ptr<const Record>> read_again(const Store& store, const Record& record) {
  auto current = std::make_shared<Record>();
  STELE_TRY(store.view()->read(record.header().position, *current));
  return std::shared_ptr<const Record>(std::move(current));
}

}  // namespace stele::api
