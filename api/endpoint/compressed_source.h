#pragma once
// A streamed body on its way through a compressor. Each piece can be read as soon as it has arrived.

#include <memory>
#include <string>

#include "api/http/compressor.h"
#include "api/http/http.h"

namespace stele::api {

class CompressedSource final : public BodySource {
 public:
  /// None if too many compressed streams exist, so that slow readers cannot take up all memory; `source` is left
  /// untouched then.
  [[nodiscard]] static std::unique_ptr<BodySource> wrap(std::unique_ptr<BodySource>& source, ContentCoding coding);

  ~CompressedSource() override;
  CompressedSource(const CompressedSource&) = delete;
  CompressedSource& operator=(const CompressedSource&) = delete;

  [[nodiscard]] Result<bool> next(std::string& to) override;

 private:
  explicit CompressedSource(ContentCoding coding);

  Compressor compressor_;
  std::unique_ptr<BodySource> source_;
  std::string piece_;
};

}  // namespace stele::api
