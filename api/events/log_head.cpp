#include "api/events/log_head.h"

#include "api/http/problem.h"
#include "api/json/json_writer.h"
#include "api/json/timestamp.h"
#include "engine/base/base64.h"
#include "engine/base/digest.h"
#include "engine/base/uuid.h"

namespace stele::api {

Response show_log_head(const Store& store) {
  const LogHead head = store.head();
  Response response;
  JsonWriter json(response.body);
  json.begin_object().key("position");
  head.size > 0 ? json.number(head.size - 1) : json.null();
  json.key("size").number(head.size);
  json.key("timestamp");
  head.size > 0 ? json.plain(format_timestamp(head.last_time)) : json.null();
  json.key("root").plain(base64_encode(as_bytes(head.root)));
  json.key("storeId").plain(to_string(store.store_id()));
  json.key("origin").string(printable(store.origin()));
  json.end_object();
  return response;
}

}  // namespace stele::api
