#include "api/replay/merge_fold.h"

#include <string_view>

#include "api/replay/state_size.h"

namespace stele::api {

MergeFold::MergeFold(std::string_view initial, std::size_t state_bytes_max)
    : state_bytes_max_(state_bytes_max), document_(initial) {
  if (document_.bytes() > state_bytes_max_) failure_ = state_too_large(state_bytes_max_, {});
}

std::optional<FoldFailure> MergeFold::apply(const Record& event, const Upcast* upcast) {
  if (failure_) return failure_;
  if (event.redacted(BodyMember::Data)) {
    ++counts_.redacted;
  } else if (!event.body().data) {
    ++counts_.ignored;
  } else {
    document_.apply(upcast != nullptr && upcast->data ? std::string_view(*upcast->data) : *event.body().data);
    if (document_.bytes() > state_bytes_max_) {
      failure_ = state_too_large(state_bytes_max_, counts_.applied + counts_.ignored + counts_.redacted);
      return failure_;
    }
    ++counts_.applied;
  }
  return std::nullopt;
}

std::variant<FoldState, FoldFailure> MergeFold::state() {
  if (failure_) return *failure_;
  FoldState state = counts_;
  document_.append_to(state.json);
  return state;
}

}  // namespace stele::api
