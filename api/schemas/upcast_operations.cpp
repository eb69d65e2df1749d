#include "api/schemas/upcast_operations.h"

#include <array>
#include <map>
#include <utility>

#include "api/json/json_string.h"
#include "api/json/json_text.h"
#include "api/json/json_tree.h"
#include "api/json/json_writer.h"
#include "api/schemas/edited_json.h"
#include "api/schemas/json_pointer.h"

namespace stele::api {

namespace {

enum class OperationKind : std::uint8_t { Rename, Move, Copy, Remove, Wrap, Set, Default, Map };

/// What an operation is called, and the members that it must have.
struct OperationForm {
  OperationKind kind;
  std::string_view name;
  bool from = false;
  bool to = false;
  bool value = false;
  bool values = false;
  bool may_be_whole = true;  ///< whether its path may be empty
};

constexpr std::array kForms{
    OperationForm{.kind = OperationKind::Rename, .name = "rename", .to = true, .may_be_whole = false},
    OperationForm{.kind = OperationKind::Move, .name = "move", .from = true},
    OperationForm{.kind = OperationKind::Copy, .name = "copy", .from = true},
    OperationForm{.kind = OperationKind::Remove, .name = "remove", .may_be_whole = false},
    OperationForm{.kind = OperationKind::Wrap, .name = "wrap"},
    OperationForm{.kind = OperationKind::Set, .name = "set", .value = true},
    OperationForm{.kind = OperationKind::Default, .name = "default", .value = true},
    OperationForm{.kind = OperationKind::Map, .name = "map", .values = true},
};

constexpr std::size_t kPointerBytesMax = 1'024;

std::string minified_text(std::string_view json) {
  std::string text;
  append_minified(text, json);
  return text;
}

/// The text that `map` looks up; none for what is no scalar.
std::optional<std::string> mapped_text(const EditedJson::Value& value) {
  if (value.kind != EditedJson::Value::Kind::Text || value.text.empty()) return std::nullopt;
  const char first = value.text.front();
  if (first == '{' || first == '[') return std::nullopt;
  if (first != '"') return std::string(value.text);
  std::string text;
  append_decoded_string(text, value.text);
  return text;
}

}  // namespace

struct UpcastOperations::Operation {
  OperationKind kind = OperationKind::Set;
  JsonPointer path;
  std::optional<JsonPointer> from;
  std::string to;     ///< a name, as a JSON string
  std::string value;  ///< JSON
  std::map<std::string, std::string, std::less<>> values;

  /// False: the document has an error.
  bool apply(EditedJson& document) const {
    switch (kind) {
      case OperationKind::Set:
        return put_text(document, value);
      case OperationKind::Default:
        if (document.find(path) != nullptr) return true;
        return !document.error() && put_text(document, value);
      case OperationKind::Move:
      case OperationKind::Copy:
        return put_from(document);
      default:
        break;
    }
    EditedJson::Value* const found = document.find(path);
    if (found == nullptr) return !document.error();
    switch (kind) {
      case OperationKind::Rename:
        return document.rename(path, to);
      case OperationKind::Remove:
        return document.remove(path);
      case OperationKind::Wrap:
        return document.wrap(path, *found);
      default:
        break;
    }
    const auto text = mapped_text(*found);
    const auto mapped = text ? values.find(*text) : values.end();
    return mapped == values.end() || put_text(document, mapped->second);
  }

 private:
  bool put_text(EditedJson& document, std::string_view json) const {
    auto made = document.value_of(json);
    return made && document.put(path, *std::move(made));
  }

  bool put_from(EditedJson& document) const {
    EditedJson::Value* const found = document.find(*from);
    if (found == nullptr) return !document.error();
    if (kind == OperationKind::Copy) {
      auto copy = document.copy_of(*found);
      return copy && document.put(path, *std::move(copy));
    }
    if (path.is_within(*from)) return true;  // onto itself: what is inside was refused
    EditedJson::Value moved = std::move(*found);
    return document.remove(*from) && document.put(path, std::move(moved));
  }
};

UpcastOperations::UpcastOperations() = default;
UpcastOperations::UpcastOperations(UpcastOperations&&) noexcept = default;
UpcastOperations& UpcastOperations::operator=(UpcastOperations&&) noexcept = default;
UpcastOperations::~UpcastOperations() = default;

/// Reads one list.
class UpcastOperations::Parser {
 public:
  explicit Parser(std::string_view json) { tree_.parse(json, {}); }

  std::variant<UpcastOperations, OperationError> parse() {
    const JsonTree::Node& list = tree_.node(0);
    if (list.kind != JsonTree::Kind::Array) return OperationError{"", "It is not an array of operations."};
    std::size_t count = 0;
    for (std::uint32_t child = 1; child < list.end; child = tree_.node(child).end) ++count;
    if (count == 0 || count > kOperationsMax) {
      return OperationError{"", "It has 1 to " + std::to_string(kOperationsMax) + " operations."};
    }
    UpcastOperations operations;
    for (std::uint32_t child = 1; child < list.end; child = tree_.node(child).end) {
      place_ = "/" + std::to_string(operations.operations_.size());
      if (!read(child, operations.operations_.emplace_back())) return std::move(*error_);
    }
    return operations;
  }

 private:
  struct Members {
    const JsonTree::Node* op = nullptr;
    const JsonTree::Node* path = nullptr;
    const JsonTree::Node* from = nullptr;
    const JsonTree::Node* to = nullptr;
    const JsonTree::Node* value = nullptr;
    const JsonTree::Node* values = nullptr;
    std::uint32_t values_number = 0;
  };

  bool read(std::uint32_t number, Operation& operation) {
    if (tree_.node(number).kind != JsonTree::Kind::Object) return fail("", "It is not an object.");
    Members members;
    if (!take(number, members)) return false;
    if (members.op == nullptr) return fail("", "It has no \"op\".");
    const auto name = text(*members.op);
    const OperationForm* form = nullptr;
    for (const OperationForm& each : kForms) {
      if (name && each.name == *name) form = &each;
    }
    if (form == nullptr) {
      return fail("/op", "Must be rename, move, copy, remove, wrap, set, default or map.");
    }
    operation.kind = form->kind;
    const auto belongs = [&](const JsonTree::Node* node, bool needed, std::string_view member) {
      if ((node != nullptr) == needed) return true;
      if (needed) return fail("", std::string(form->name) + " needs \"" + std::string(member) + "\".");
      return fail("/" + std::string(member), std::string(form->name) + " has no such member.");
    };
    if (!belongs(members.path, true, "path") || !belongs(members.from, form->from, "from") ||
        !belongs(members.to, form->to, "to") || !belongs(members.value, form->value, "value") ||
        !belongs(members.values, form->values, "values")) {
      return false;
    }
    auto path = pointer(*members.path, "/path");
    if (!path) return false;
    operation.path = *std::move(path);
    if (operation.path.depth() == 0 && !form->may_be_whole) {
      return fail("/path", "The data as a whole cannot be removed or renamed.");
    }
    if (form->from) {
      operation.from = pointer(*members.from, "/from");
      if (!operation.from) return false;
      if (form->kind == OperationKind::Move && operation.path.depth() > operation.from->depth() &&
          operation.path.is_within(*operation.from)) {
        return fail("/path", "A value cannot be moved into itself.");
      }
    }
    if (form->to) {
      const auto to = text(*members.to);
      if (!to) return fail("/to", "Must be a name, not a pointer: a string.");
      append_json_string(operation.to, *to);
    }
    if (form->value) operation.value = minified_text(tree_.value(*members.value));
    return !form->values || read_values(members, operation);
  }

  bool take(std::uint32_t number, Members& members) {
    const std::uint32_t end = tree_.node(number).end;
    for (std::uint32_t child = number + 1; child < end; child = tree_.node(child).end) {
      const JsonTree::Node& node = tree_.node(child);
      std::string name;
      append_decoded_string(name, tree_.name(node));
      const JsonTree::Node** const to = name == "op"       ? &members.op
                                        : name == "path"   ? &members.path
                                        : name == "from"   ? &members.from
                                        : name == "to"     ? &members.to
                                        : name == "value"  ? &members.value
                                        : name == "values" ? &members.values
                                                           : nullptr;
      if (to == nullptr) return fail("", "It has an unknown member '" + name.substr(0, 64) + "'.");
      if (*to != nullptr) return fail("/" + name, "The member stands twice.");
      *to = &node;
      if (to == &members.values) members.values_number = child;
    }
    return true;
  }

  bool read_values(const Members& members, Operation& operation) {
    if (members.values->kind != JsonTree::Kind::Object) return fail("/values", "Must be an object.");
    for (std::uint32_t child = members.values_number + 1; child < members.values->end; child = tree_.node(child).end) {
      const JsonTree::Node& node = tree_.node(child);
      std::string name;
      append_decoded_string(name, tree_.name(node));
      if (node.repeated) return fail("/values", "The member '" + name.substr(0, 64) + "' stands twice.");
      operation.values.emplace(std::move(name), minified_text(tree_.value(node)));
    }
    return true;
  }

  [[nodiscard]] std::optional<std::string> text(const JsonTree::Node& node) const {
    const std::string_view token = tree_.value(node);
    if (!token.starts_with('"')) return std::nullopt;
    std::string text;
    append_decoded_string(text, token);
    return text;
  }

  std::optional<JsonPointer> pointer(const JsonTree::Node& node, const std::string& member) {
    const auto written = text(node);
    auto pointer =
        written && written->size() <= kPointerBytesMax ? JsonPointer::parse(*written) : std::optional<JsonPointer>();
    if (!pointer || pointer->depth() > kPointerDepthMax) {
      fail(member, "Must be a JSON pointer such as \"/a/b\", of at most " + std::to_string(kPointerDepthMax) +
                       " names and " + std::to_string(kPointerBytesMax) + " bytes.");
      return std::nullopt;
    }
    return pointer;
  }

  bool fail(const std::string& member, std::string detail) {
    if (!error_) error_ = OperationError{place_ + member, std::move(detail)};
    return false;
  }

  JsonTree tree_;
  std::string place_;
  std::optional<OperationError> error_;
};

std::variant<UpcastOperations, OperationError> UpcastOperations::parse(std::string_view json) {
  return Parser(json).parse();
}

std::variant<std::string, UpcastError> UpcastOperations::apply(std::string_view data) const {
  EditedJson document(data, {.depth_max = kDepthMax, .bytes_max = kResultBytesMax, .work = kWorkMax});
  for (std::size_t i = 0; i < operations_.size(); ++i) {
    if (operations_[i].apply(document) && !document.error()) continue;
    const auto& error = document.error();
    const auto* const form = &kForms[static_cast<std::size_t>(operations_[i].kind)];
    return UpcastError{error ? error->pointer : std::string(),
                       "Operation " + std::to_string(i) + " (" + std::string(form->name) +
                           "): " + (error ? error->detail : std::string("It cannot be done."))};
  }
  return document.text();
}

}  // namespace stele::api
