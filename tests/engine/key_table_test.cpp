#include "engine/index/key_table.h"

#include <doctest/doctest.h>

#include <map>
#include <random>
#include <string>

using namespace stele;

TEST_CASE("KeyTable.FindsNothingInAnEmptyTable") {
  const KeyTable<int> table;
  CHECK(table.find("") == nullptr);
  CHECK(table.find("key") == nullptr);
  CHECK(table.size() == 0);
}

TEST_CASE("KeyTable.AgreesWithAMapWhileItGrows") {
  std::random_device device;
  const std::uint64_t seed = device();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  KeyTable<std::uint64_t> table;
  std::map<std::string, std::uint64_t> map;
  std::map<std::string, const void*> places;
  for (std::uint64_t i = 0; i < 20'000; ++i) {
    std::string key(random() % 256, static_cast<char>(random()));
    if (!key.empty()) key[0] = static_cast<char>(random());
    const auto [entry, inserted] = table.insert(key);
    CHECK(inserted == !map.contains(key));
    if (inserted) {
      CHECK(entry->value == 0);
      entry->value = i;
      map[key] = i;
      places[key] = entry->key().data();
    }
    CHECK(entry->value == map[key]);
    CHECK(entry->key().data() == places[key]);
  }
  CHECK(table.size() == map.size());
  for (const auto& [key, value] : map) {
    const std::uint64_t* const found = table.find(key);
    REQUIRE(found != nullptr);
    CHECK(*found == value);
    CHECK(table.find(key + "x") == (map.contains(key + "x") ? table.find(key + "x") : nullptr));
  }
}

TEST_CASE("KeyTable.RoomMadeAheadChangesNothingElse") {
  KeyTable<int> table;
  table.insert("before").first->value = 1;
  table.reserve(10'000);
  table.insert("behind").first->value = 2;
  REQUIRE(table.size() == 2);
  CHECK(table.entry(0).key() == "before");
  CHECK(table.entry(1).key() == "behind");
  CHECK(*table.find("before") == 1);
  CHECK(*table.find("behind") == 2);
  CHECK(table.find("neither") == nullptr);
}

TEST_CASE("KeyTable.KeysMayHoldAnyBytes") {
  KeyTable<int> table;
  const std::string keys[] = {"",  std::string(1, '\0'),  std::string(2, '\0'),
                              "a", std::string("a\0", 2), std::string(255, '\xFF')};
  int value = 0;
  for (const std::string& key : keys) table.insert(key).first->value = ++value;
  value = 0;
  for (const std::string& key : keys) {
    REQUIRE(table.find(key) != nullptr);
    CHECK(*table.find(key) == ++value);
  }
}
