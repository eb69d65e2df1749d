#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <iterator>
#include <string>

#include "net/log/line_file.h"
#include "tests/support/temp_folder.h"
#include "tests/support/text.h"

namespace stele::net {

namespace {

int open_file(const std::string& path, LineFile::Opening opening = LineFile::Opening::Again) {
  const auto fd = LineFile::open(path, opening);
  REQUIRE(fd);
  return *fd;
}

}  // namespace

TEST_CASE("LineFile.LinesBeforeAChangeAreInTheOldFileAndLaterOnesInTheNew") {
  const test::TempFolder folder;
  {
    LineFile file(open_file(folder.file("a")));
    file.add("one");
    file.go_on_in(open_file(folder.file("b")));
    file.add("two");
    file.go_on_in(open_file(folder.file("unused")));
    file.go_on_in(open_file(folder.file("c")));
    file.flush();
    file.add("three");
    CHECK(tests::read_file(folder.file("b")) == "two\n");
  }
  CHECK(tests::read_file(folder.file("a")) == "one\n");
  CHECK(tests::read_file(folder.file("unused")).empty());
  CHECK(tests::read_file(folder.file("c")) == "three\n");
  { LineFile(open_file(folder.file("new/folder/c"))).add("kept"); }
  { LineFile(open_file(folder.file("new/folder/c"))).add("more"); }
  CHECK(tests::read_file(folder.file("new/folder/c")) == "kept\nmore\n");
}

TEST_CASE("LineFile.WhatCannotBeWrittenWaitsAndGoesWholeToTheNextFile") {
  const test::TempFolder folder;
  const std::string fifo = folder.file("fifo");
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  const int reader = ::open(fifo.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  REQUIRE(reader >= 0);
  const int writer = open_file(fifo);
  const int room = ::fcntl(writer, F_GETPIPE_SZ);
  REQUIRE(::fcntl(writer, F_SETFL, O_NONBLOCK) == 0);  // full is an error then, as on a full disk
  const std::string line(1000, 'x');
  LineFile file(writer);
  const int lines = room / 1001 + 20;
  for (int i = 0; i < lines; ++i) file.add(line);
  file.flush();
  // The same file goes on where it stopped …
  std::string got(static_cast<std::size_t>(room), '\0');
  const ssize_t first = ::read(reader, got.data(), got.size());
  REQUIRE(first > 0);
  CHECK(first % 1001 != 0);
  got.resize(static_cast<std::size_t>(first));
  SUBCASE("the same file") {
    file.flush();
    std::string rest(static_cast<std::size_t>(room), '\0');
    const ssize_t more = ::read(reader, rest.data(), rest.size());
    REQUIRE(more > 0);
    got.append(rest, 0, static_cast<std::size_t>(more));
    std::string all;
    for (int i = 0; i < lines; ++i) all += line + '\n';
    CHECK(got == all);
  }
  SUBCASE("another file") {  // … and another one begins with the line that was cut
    while (::write(writer, "y", 1) == 1) {
    }
    file.go_on_in(open_file(folder.file("next")));
    file.flush();
    std::string rest;
    for (int i = static_cast<int>(first / 1001); i < lines; ++i) rest += line + '\n';
    CHECK(tests::read_file(folder.file("next")) == rest);
  }
  ::close(reader);
}

TEST_CASE("LineFile.LinesThatCannotWaitAreCounted") {
  const int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  REQUIRE(full >= 0);
  LineFile file(full);
  for (int i = 0; i < 3000; ++i) file.add(std::string(1023, 'x'));
  CHECK(file.dropped() > 1900);
  CHECK(file.dropped() < 2000);
}

TEST_CASE("LineFile.OpeningAgainWaitsForNobody") {
  const test::TempFolder folder;
  const std::string fifo = folder.file("fifo");
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  CHECK_FALSE(LineFile::open(fifo, LineFile::Opening::Again));  // nobody reads it
  const auto folder_as_file = LineFile::open(folder.path(), LineFile::Opening::Again);
  REQUIRE_FALSE(folder_as_file);
  CHECK(folder_as_file.error().describe().find(folder.path()) != std::string::npos);
}

}  // namespace stele::net
