// For json_patch.py: reads lines `[original,changed]`, writes a line with the JSON Patch from one to the other for
// each.

#include <iostream>
#include <string>

#include "api/json/json_patch.h"
#include "api/json/json_text.h"

int main() {
  std::string line;
  while (std::getline(std::cin, line)) {
    stele::api::JsonCursor cursor(line);
    cursor.enter();
    cursor.expect_element();
    const std::string_view original = cursor.value().text;
    cursor.expect_element();
    std::string patch;
    stele::api::append_json_patch(patch, original, cursor.value().text);
    std::cout << patch << '\n';
  }
  return std::cout.flush() ? 0 : 1;
}
