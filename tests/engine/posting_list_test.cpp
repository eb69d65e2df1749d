#include "engine/index/posting_list.h"

#include <doctest/doctest.h>

#include <utility>

using namespace stele;

TEST_CASE("PostingList.KeepsOrderAcrossTheStepFromInlineToHeap") {
  PostingList list;
  CHECK(list.size() == 0);
  CHECK(list.ordinals().empty());
  for (std::uint32_t i = 0; i < 100; ++i) {
    list.push_back(i * 7);
    REQUIRE(list.size() == i + 1);
    const auto ordinals = list.ordinals();
    REQUIRE(ordinals.size() == i + 1);
    for (std::uint32_t k = 0; k <= i; ++k) REQUIRE(ordinals[k] == k * 7);
  }
}

TEST_CASE("PostingList.MovesWithItsContent") {
  for (const std::uint32_t size : {0U, 1U, 3U, 4U, 50U}) {
    PostingList list;
    for (std::uint32_t i = 0; i < size; ++i) list.push_back(i);
    const PostingList moved = std::move(list);
    CHECK(moved.size() == size);
    CHECK(moved.ordinals().size() == size);
    if (size > 0) CHECK(moved.ordinals().back() == size - 1);
  }
}
