#include "tools/offline/folder_bundle.h"

#include <utility>

#include "api/audit/event_proof.h"
#include "api/audit/event_proof_json.h"
#include "api/audit/log_keys.h"
#include "api/json/timestamp.h"
#include "engine/store/store.h"
#include "tools/offline/folder_tree.h"

namespace stele::tools {

namespace {

Result<std::optional<Timestamp>> read_bound(const std::string& text, const char* name) {
  using Bound = std::optional<Timestamp>;
  if (text.empty()) return Bound{};
  const auto time = api::parse_timestamp(text, api::FinerTimes::RoundUp);
  if (time) return Bound(time);
  return Error{.kind = ErrorKind::InvalidArgument, .message = std::string(name) + ": \"" + text + "\" is no time"};
}

}  // namespace

Result<std::unique_ptr<FolderBundle>> FolderBundle::open(const std::string& folder) {
  ReadOnlyOptions options;
  options.folder = folder;
  STELE_ASSIGN(std::unique_ptr<ReadOnlyStore> store, Store::open_read_only(std::move(options)));
  std::unique_ptr<FolderBundle> bundle(new FolderBundle(folder, std::move(store)));
  STELE_TRY(bundle->look_for_checkpoint());
  return bundle;
}

Status FolderBundle::look_for_checkpoint() {
  STELE_ASSIGN(const api::LogKeys keys, api::LogKeys::read(*store_->view()));
  for (const api::LogKey& key : keys.all()) vkeys_.push_back(key.verifier.vkey());
  STELE_ASSIGN(KeptCheckpoints kept,
               read_checkpoints(posix_file_system(), folder_ + "/checkpoints", store_->store_id()));
  for (auto one = kept.all.rbegin(); one != kept.all.rend(); ++one) {
    const std::uint64_t size = one->checkpoint.size;
    // Beside a server there may be some by now that cover more than was durable when the folder was opened.
    if (size > store_->view()->end().value()) continue;
    if (!api::verify_checkpoint_note(one->note, one->checkpoint, keys.valid_at(size))) continue;
    newest_ = std::move(*one);
    return {};
  }
  return Error{.kind = ErrorKind::NotFound,
               .message = "no checkpoint was signed over the log: a server signs them while it runs",
               .file = folder_};
}

Status FolderBundle::write(api::BundleHead chosen, const std::function<Status(std::string_view line)>& take) {
  EventQuery query;
  query.aggregate_id = chosen.aggregate_id;
  STELE_ASSIGN(query.from, read_bound(chosen.from, "--from"));
  STELE_ASSIGN(query.to, read_bound(chosen.to, "--to"));
  chosen.origin = store_->origin();
  chosen.vkeys = vkeys_;
  STELE_TRY(take(api::bundle_head_line(chosen)));

  const std::string note = format_note(newest_.note);
  FolderTree tree(*store_, folder_, newest_.checkpoint);
  const auto view = store_->view();
  STELE_ASSIGN(const auto stream, view->query(query));
  for (Record record;;) {
    STELE_ASSIGN(const bool has_more, stream->next(record));
    if (!has_more) break;
    if (record.header().position.value() >= newest_.checkpoint.size) {
      ++uncovered_;
      continue;
    }
    STELE_ASSIGN(const std::vector<Digest> path, tree.inclusion(record));
    STELE_TRY(take(api::event_proof_json(record, path, newest_.checkpoint.size, note)));
    ++events_;
  }
  return take(api::bundle_end_line(events_));
}

}  // namespace stele::tools
