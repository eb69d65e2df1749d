// What a log, or anyone, sends to a witness.

#include "engine/audit/witness_request.h"

#include "engine/audit/checkpoint.h"
#include "engine/base/check.h"
#include "tests/fuzz/fuzz_target.h"

namespace stele {
namespace {

std::vector<std::string> witness_request_seeds() {
  const std::string checkpoint =
      "example.com/log\n5\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
      "\xE2\x80\x94 example.com/log Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/"
      "Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n";
  return {"old 0\n\n" + checkpoint,
          "old 3\nPlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n\n" + checkpoint,
          "old 18446744073709551615\n\n" + checkpoint,
          "old 03\n\n" + checkpoint,
          "old 3\n",
          "old 3\n\n\n\n",
          "20\n"};
}

}  // namespace

FUZZ_TARGET(witness_request, witness_request_seeds) {
  const fuzz::Exact exact(input);
  if (const auto size = parse_witnessed_size(exact.view())) STELE_CHECK(std::to_string(*size) + "\n" == input);
  const auto request = parse_witness_request(exact.view());
  if (!request) {
    STELE_CHECK(!request.error().message.empty());
    return;
  }
  STELE_CHECK(request->path.size() <= kWitnessPathMax);
  // There is one way to write it.
  STELE_CHECK(format_witness_request(*request) == input);
  if (const auto checkpoint = parse_checkpoint(request->note.text)) {
    STELE_CHECK(format_checkpoint(*checkpoint) == request->note.text);
  }
}

}  // namespace stele
