#include "api/subscriptions/parcel_json.h"

#include "api/records/event_json.h"

namespace stele::api {

void append_parcel_json(std::string& to, const Parcel& parcel) {
  append_event_json(to, *parcel.record, DataForm::Minified, parcel.notes, parcel.upcast.get());
  if (!parcel.is_replay) return;
  to.pop_back();
  to += R"(,"replay":true})";
}

}  // namespace stele::api
