#include "api/replay/last_fold.h"

#include "api/json/json_text.h"
#include "api/replay/state_size.h"

namespace stele::api {

LastFold::LastFold(std::string_view initial, std::size_t state_bytes_max)
    : state_bytes_max_(state_bytes_max), newest_(initial) {
  if (too_large()) failure_ = state_too_large(state_bytes_max_, {});
}

bool LastFold::too_large() {
  if (newest_.size() <= state_bytes_max_) return false;
  std::string minified;
  append_minified(minified, newest_);
  newest_ = std::move(minified);
  return newest_.size() > state_bytes_max_;
}

std::optional<FoldFailure> LastFold::apply(const Record& event, const Upcast* upcast) {
  if (failure_) return failure_;
  if (event.redacted(BodyMember::Data)) {
    ++counts_.redacted;
  } else if (!event.body().data) {
    ++counts_.ignored;
  } else {
    newest_.assign(upcast != nullptr && upcast->data ? std::string_view(*upcast->data) : *event.body().data);
    if (too_large()) {
      failure_ = state_too_large(state_bytes_max_, counts_.applied + counts_.ignored + counts_.redacted);
      return failure_;
    }
    ++counts_.applied;
  }
  return std::nullopt;
}

std::variant<FoldState, FoldFailure> LastFold::state() {
  if (failure_) return *failure_;
  FoldState state = counts_;
  append_minified(state.json, newest_);
  return state;
}

}  // namespace stele::api
