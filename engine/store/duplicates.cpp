#include "engine/store/duplicates.h"

#include <algorithm>

namespace stele {
namespace {

using Kind = AppendOutcome::Kind;

bool same_text(const std::optional<std::string>& sent, const std::optional<std::string_view>& stored) {
  return sent.has_value() == stored.has_value() && (!sent || *sent == *stored);
}

/// A client that did not say who acted left it to the server, which took the principal of that time, or none.
bool same_user(const RecordDraft& sent, const RecordHeader& stored) {
  return sent.user_id ? stored.user_id == *sent.user_id : stored.user_id == stored.principal;
}

/// Both are sorted and without repeats, so that the order in which they were sent does not matter.
bool same_tags(const RecordDraft& sent, const RecordHeader& stored) {
  return std::equal(sent.tags.begin(), sent.tags.end(), stored.tags.begin(), stored.tags.end());
}

/// Whether the commit that begins with `first` has `count` events, what the store attached to it left out: that stands
/// behind all that was sent.
Result<bool> is_number_of_events(const ReadView& view, const RecordHeader& first, std::uint32_t count) {
  if (first.commit_count <= count) return first.commit_count == count;
  Record behind;
  STELE_TRY(view.read(first.position.plus(count), behind));
  return is_system(behind.header());
}

AppendOutcome conflict(std::uint32_t index, const char* why) {
  return AppendOutcome{.kind = Kind::EventIdConflict, .event_index = index, .detail = why};
}

}  // namespace

bool same_content(const RecordDraft& event, const Record& record) {
  const RecordHeader& stored = record.header();
  const GivenByClient& given = event.given;
  if (event.aggregate_id != stored.aggregate_id || event.event_type != stored.event_type) return false;
  if (event.aggregate_type.has_value() != stored.given.aggregate_type) return false;
  if (event.aggregate_type && *event.aggregate_type != stored.aggregate_type) return false;
  if (given.schema_version != stored.given.schema_version) return false;
  if (given.schema_version && event.schema_version != stored.schema_version) return false;
  if (given.correlation_id != stored.given.correlation_id) return false;
  if (given.correlation_id && !same_text(event.correlation_id, stored.correlation_id)) return false;
  if (event.expected_sequence && *event.expected_sequence != stored.sequence) return false;
  return event.occurred_at == stored.occurred_at && same_user(event, stored) && same_tags(event, stored) &&
         same_text(event.causation_id, stored.causation_id) && same_text(event.data, record.body().data) &&
         same_text(event.metadata, record.body().metadata);
}

AppendOutcome compare_duplicates(const Decision& decision, const ReadView& view) {
  const Proposal& proposal = decision.proposal;
  const auto count = static_cast<std::uint32_t>(proposal.events.size());
  std::optional<Position> first;
  Record record;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::optional<Position>& found = decision.duplicates[i];
    if (!found) return conflict(i, "the list is not exactly one earlier commit: this event is new, others are stored");
    if (Status read = view.read(*found, record); !read) {
      return AppendOutcome{.kind = Kind::ReadFailed, .event_index = i, .detail = read.error().describe()};
    }
    const RecordHeader& stored = record.header();
    if (proposal.is_list) {
      bool repeats = stored.commit_index == i && *found == first.value_or(*found).plus(i);
      if (repeats && i == 0) {
        const Result<bool> whole = is_number_of_events(view, stored, count);
        if (!whole) return AppendOutcome{.kind = Kind::ReadFailed, .detail = whole.error().describe()};
        repeats = *whole;
      }
      if (!repeats) return conflict(i, "the list is not exactly one earlier commit in its order");
    }
    if (record.any_redacted()) return AppendOutcome{.kind = Kind::EventRedacted, .first = *found, .event_index = i};
    if (!same_content(proposal.events[i], record)) {
      return AppendOutcome{.kind = Kind::EventIdConflict,
                           .first = *found,
                           .event_index = i,
                           .detail = "an event with this id but other content is stored"};
    }
    if (!first) first = found;
  }
  return AppendOutcome{.kind = Kind::Repeated, .first = *first, .count = count};
}

}  // namespace stele
