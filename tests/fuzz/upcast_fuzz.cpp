// Operations of an upcaster and the data they are done to, both from strangers.
//
// Input: a list of operations, a zero byte, the data. Both are JSON whenever they come here: the parser of requests has
// seen them.

#include <simdjson.h>

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "api/schemas/upcast_operations.h"
#include "engine/base/check.h"
#include "tests/fuzz/fuzz_target.h"

namespace stele::api {
namespace {

std::vector<std::string> upcast_seeds() {
  const auto seed = [](std::string_view operations, std::string_view data) {
    return std::string(operations) + '\0' + std::string(data);
  };
  return {
      seed(R"([{"op":"rename","path":"/a","to":"b"},{"op":"wrap","path":"/b"},{"op":"copy","from":"","path":"/c/d"}])",
           R"({"a":{"x":[1,2.50,"\u0061"]},"a":7})"),
      seed(R"([{"op":"set","path":"/0/-/z","value":{"q":[]}},{"op":"default","path":"/1","value":null}])", "[[1],{}]"),
      seed(R"([{"op":"map","path":"/a~1b","values":{"1":"one","x":{}}},{"op":"remove","path":"/~0"}])",
           R"({"a/b":1,"~":true})"),
      seed(R"([{"op":"move","from":"/a/b","path":""},{"op":"move","from":"/0","path":"/-"}])",
           R"({"a":{"b":[1,2,3]}})"),
  };
}

bool is_json(std::string_view text) {
  if (text.starts_with("\xEF")) return false;  // a byte order mark is taken away before
  simdjson::dom::parser parser;
  return parser.parse(std::string(text)).error() == simdjson::SUCCESS;
}

}  // namespace

FUZZ_TARGET(upcast, upcast_seeds) {
  const std::size_t split = input.find('\0');
  if (split == std::string_view::npos) return;
  const fuzz::Exact list(input.substr(0, split)), data(input.substr(split + 1));
  const bool both = is_json(list.view()) && is_json(data.view());
  auto parsed = UpcastOperations::parse(list.view());
  const auto* const operations = std::get_if<UpcastOperations>(&parsed);
  if (operations == nullptr) return;
  const auto made = operations->apply(data.view());
  if (!both) return;
  const auto* const text = std::get_if<std::string>(&made);
  if (text == nullptr) return;
  STELE_CHECK(is_json(*text));
  STELE_CHECK(text->size() <= UpcastOperations::kResultBytesMax + data.view().size());
  STELE_CHECK(std::get<std::string>(operations->apply(data.view())) == *text);
}

}  // namespace stele::api
