#pragma once
// What a receiver answers, as bytes that come in any pieces. No I/O, and nothing believed: bounded in every direction.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "net/webhook/answer_parser.h"

namespace stele::net {

/// One answer to a POST; answers of 1xx before it are skipped.
class AnswerReader {
 public:
  static constexpr std::size_t head_bytes_max = 16 * 1024;
  static constexpr std::size_t body_bytes_usual = 64 * 1024;
  /// As many times a body's bytes may come, with what frames them: chunks of one byte cost five more.
  static constexpr std::size_t framed_max = 16;

  enum class State {
    NeedsMore,
    Complete,
    Cut,  ///< the body goes on behind what is kept
    HeadTooLarge,
    NotHttp,
    BrokenOff,  ///< the connection ended before the answer
  };

  /// So many bytes of a body are kept.
  explicit AnswerReader(std::size_t body_bytes_max = body_bytes_usual) : body_bytes_max_(body_bytes_max) { begin(); }
  AnswerReader(const AnswerReader&) = delete;

  /// After NeedsMore only. What is needed again of the bytes is copied.
  [[nodiscard]] State take(std::string_view bytes);
  /// The connection has ended, in good order or not.
  [[nodiscard]] State end(bool in_order);

  [[nodiscard]] bool has_begun() const { return bytes_ > 0; }
  /// After Complete: the connection can carry another exchange.
  [[nodiscard]] bool may_keep() const { return parser_->keep_alive() && unused_.empty(); }

  /// 0 until the head is complete.
  [[nodiscard]] int status() const { return status_; }
  [[nodiscard]] const std::string& retry_after() const { return retry_after_; }
  [[nodiscard]] std::string& body() { return body_; }

 private:
  void begin();
  /// Takes off the front of `bytes` what is needed no more.
  [[nodiscard]] State parse(std::string_view& bytes);
  /// False if its body's end could be read in more than one way, or it is no answer to a POST.
  [[nodiscard]] bool take_head();

  const std::size_t body_bytes_max_;
  std::string body_;
  std::optional<AnswerParser> parser_;  ///< an optional, because a parser serves one message
  std::string unused_;                  ///< bytes that the parser wants to see again with what follows
  bool is_begun_ = false;               ///< the parser has taken a part of this message
  std::size_t bytes_ = 0;
  int interim_ = 0;  ///< answers of 1xx
  int status_ = 0;
  std::string retry_after_;
};

}  // namespace stele::net
