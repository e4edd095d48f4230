// SPDX-License-Identifier: GPL-2.0-or-later
// Loading the programs takes a second, a test a tenth of one. So that ctest's entries, one a test, are of one
// run, its first entry records it, and the others report what it has recorded:
//
//   VNET_RECORD=FOLDER    runs the tests; writes a file for each
//   VNET_RECORDED=FOLDER  with a filter that names one test: says what its file says
//
// Without them it is a program of gtest's like any other.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>
#include <string>

namespace {

namespace fs = std::filesystem;

fs::path file_of(const fs::path& folder, std::string test) {
  std::ranges::replace(test, '/', '%');
  return folder / test;
}

class Recorder : public testing::EmptyTestEventListener {
 public:
  explicit Recorder(fs::path folder) : folder_(std::move(folder)) {}

  void OnTestStart(const testing::TestInfo&) override { said_.clear(); }
  void OnTestPartResult(const testing::TestPartResult& part) override {
    if (part.file_name()) said_ += std::string(part.file_name()) + ":" + std::to_string(part.line_number());
    said_ += "\n" + std::string(part.message()) + "\n";
  }
  void OnTestEnd(const testing::TestInfo& test) override {
    const testing::TestResult& result = *test.result();
    std::string name = std::string(test.test_suite_name()) + "." + test.name();
    const char* word = result.Failed() ? "[  FAILED  ]" : result.Skipped() ? "[  SKIPPED ]" : "[       OK ]";
    std::ofstream(file_of(folder_, name)) << said_ << word << " " << name << "\n";
  }

 private:
  fs::path folder_;
  std::string said_;
};

int record(const fs::path& folder) {
  fs::remove_all(folder);
  fs::create_directories(folder);
  testing::UnitTest::GetInstance()->listeners().Append(new Recorder(folder));  // gtest deletes it
  int failed = RUN_ALL_TESTS();
  std::cout << (failed ? "which failed: see their entries\n" : "");
  return 0;
}

int report(const fs::path& folder, const std::string& test) {
  std::ifstream file(file_of(folder, test));
  std::string line, last;
  while (std::getline(file, line)) std::cout << (last = line) << "\n";
  if (last.empty()) std::cout << "the run that records all tests ended before " << test << "\n";
  return last.starts_with("[       OK ]") || last.starts_with("[  SKIPPED ]") ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (const char* folder = std::getenv("VNET_RECORD")) return record(folder);
  const std::string filter = GTEST_FLAG_GET(filter);
  const char* recorded = std::getenv("VNET_RECORDED");
  if (recorded && filter.find_first_of("*:-?") == std::string::npos) return report(recorded, filter);
  return RUN_ALL_TESTS();
}
