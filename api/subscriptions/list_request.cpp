#include "api/subscriptions/list_request.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "api/endpoint/options.h"
#include "api/http/bounded_read.h"
#include "api/json/json_writer.h"
#include "engine/base/digest.h"
#include "engine/base/uuid.h"

namespace stele::api {

namespace {

constexpr std::size_t kPieceElements = 100;
constexpr std::size_t kListBytesMax = 8U << 20;  ///< of a page, which ends early then
constexpr int kPiecesMax = 50;                   ///< of a page, which ends early then too

class ListLines : public BodySource {
 public:
  ListLines(ListRequest request, const Request& asker, ListReader read)
      : left_(request.limit), has_limit_(request.limit > 0), asker_(asker), read_(std::move(read)) {
    behind_ = std::move(request.behind);
  }

  Result<bool> next(std::string& to) override {
    if (is_over_) return false;
    if (asker_.abandoned()) return stream_abandoned();
    const std::size_t limit = has_limit_ ? std::min(left_, kPieceElements) : kPieceElements;
    std::size_t taken = 0;
    ListPiece piece = read_(behind_, limit, [&](std::string_view element) {
      to += element;
      to += '\n';
      ++taken;
    });
    if (piece.problem) return Error{.kind = ErrorKind::Io, .message = piece.problem->detail()};
    if (has_limit_) left_ -= taken;
    is_over_ = !piece.next || (has_limit_ && left_ == 0);
    behind_ = std::move(piece.next);
    return true;
  }

 private:
  std::optional<Cursor> behind_;
  std::size_t left_;
  const bool has_limit_;
  bool is_over_ = false;
  const Request& asker_;
  const ListReader read_;
};

}  // namespace

std::variant<ListRequest, Problem> parse_list(Parameters& parameters, const Call& call, CursorKind kind,
                                              const Uuid& store) {
  const Limits& limits = call.options().limits;
  ListRequest list;
  list.lines = call.accepted().format == BodyFormat::Ndjson;
  list.type = call.accepted().type;
  const auto limit = parameters.integer("limit", 1, limits.page_max);
  list.limit = static_cast<std::size_t>(limit.value_or(list.lines ? 0 : limits.page_default));
  const auto cursor = parameters.text("cursor", kCursorBytesMax);
  if (auto problem = parameters.problem()) return *std::move(problem);
  std::string about = to_string(store);
  about += call.request().path();
  list.filters = xxh3(about);
  list.link = call.request().path();
  list.link += '?';
  if (const std::string others = parameters.encoded({"cursor"}); !others.empty()) list.link += others + '&';
  if (cursor) {
    auto decoded = decode_cursor(*cursor, kind, Direction::Ascending, list.filters);
    if (const auto* error = std::get_if<CursorError>(&decoded)) {
      return Problem("invalid-cursor", *error == CursorError::Mangled
                                           ? "The cursor is damaged."
                                           : "The cursor belongs to another list, or to another store.")
          .error({"parameter", "cursor", "Leave it out to begin again.", {}});
    }
    list.behind = std::get<Cursor>(std::move(decoded));
  }
  return list;
}

std::variant<Response, Problem> answer_list(const ListRequest& request, std::string_view name, const Request& asker,
                                            ListReader read) {
  Response response;
  if (request.lines) {
    response.content_type = request.type;
    response.source = std::make_unique<ListLines>(request, asker, std::move(read));
    return response;
  }
  JsonWriter json(response.body);
  json.begin_object().key(name).begin_array();
  std::optional<Cursor> behind = request.behind;
  std::size_t left = request.limit;
  // What is left out, because the caller must not see it, makes no page shorter.
  for (int pieces = 0; left > 0 && response.body.size() < kListBytesMax && pieces < kPiecesMax; ++pieces) {
    ListPiece piece = read(behind, std::min(left, kPieceElements), [&](std::string_view element) {
      json.raw(element);
      --left;
    });
    if (piece.problem) return *std::move(piece.problem);
    behind = std::move(piece.next);
    if (!behind) break;
  }
  json.end_array().key("nextCursor");
  if (behind) {
    const std::string cursor = encode_cursor(*behind, request.filters);
    json.plain(cursor);
    response.headers.emplace_back("Link", "<" + request.link + "cursor=" + cursor + ">; rel=\"next\"");
  } else {
    json.null();
  }
  json.end_object();
  return response;
}

}  // namespace stele::api
