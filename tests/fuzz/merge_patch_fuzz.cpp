// Merging patches into a document, and the difference of two documents.
//
// Input: JSON texts, one a line; the first is the document, the others are merged into it. Lines that are no JSON are
// passed over, as the server passes over none: it has checked what it has stored.

#include <simdjson.h>

#include <algorithm>

#include "api/json/json_patch.h"
#include "api/json/json_tree.h"
#include "api/replay/merge_patch.h"
#include "engine/base/check.h"
#include "tests/fuzz/fuzz_target.h"

namespace stele::api {
namespace {

std::vector<std::string> seeds() {
  return {"{\"a\":{\"b\":1.0},\"c\":[1,2]}\n{\"a\":{\"b\":null,\"d\":\"\\u0061\"},\"\\u0063\":[2]}",
          "[1,{\"a\":null}]\n{\"a\":1,\"a\":{\"b\":null}}\n{\"a\":{\"b\":[{}]}}\nnull\n\"x\"",
          R"({"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7,"h":8,"i":9,"j":10,"k":11,"l":12,"m":13,"n":14,"o":15,"p":16,)"
          "\"q\":17,\"q\":{}}\n{\"a\":null,\"b\":null,\"~/\\u0000\":1}"};
}

bool is_json(std::string_view text) {
  simdjson::dom::parser parser;
  return parser.parse(simdjson::padded_string(text)).error() == simdjson::SUCCESS;
}

std::string text_of(const MergeDocument& document) {
  std::string text;
  document.append_to(text);
  STELE_CHECK(text.size() == document.bytes());
  return text;
}

/// Of two texts; checks that it is JSON.
std::string patch_between(std::string_view original, std::string_view changed) {
  std::string patch;
  append_json_patch(patch, original, changed);
  STELE_CHECK(is_json(patch));
  return patch;
}

}  // namespace

FUZZ_TARGET(merge_patch, seeds) {
  std::vector<std::string_view> texts;
  for (std::string_view rest = input; !rest.empty() && texts.size() < 20;) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    const fuzz::Exact exact(line);
    JsonTree tree;
    tree.parse(exact.view(), {});  // whatever it is, nothing outside it is read
    std::string patch;
    append_json_patch(patch, exact.view(), exact.view());
    if (is_json(line)) texts.push_back(line);
  }
  if (texts.empty()) return;
  MergeDocument document(texts[0]);
  std::string state = text_of(document);
  STELE_CHECK(is_json(state));
  for (const std::string_view text : texts) {
    const std::string before = state;
    document.apply(text);
    state = text_of(document);
    STELE_CHECK(is_json(state));
    STELE_CHECK(patch_between(state, text_of(MergeDocument(state))) == "[]");
    document.apply(text);
    STELE_CHECK(text_of(document) == state);
    MergeDocument again(before);
    again.apply(text);
    STELE_CHECK(text_of(again) == state);
    STELE_CHECK(patch_between(before, before) == "[]");
    (void)patch_between(before, state);
  }
}

}  // namespace stele::api
