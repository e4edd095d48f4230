// SPDX-License-Identifier: GPL-2.0-or-later
// libvirt's own test data, which is not part of this repository: the folder is named by VNET_CORPUS, or lies
// next to the source tree. Each folder in it that has an expected.tsv is read.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "loader/config/network_xml.h"
#include "loader/services/dnsmasq_config.h"

namespace vnet {
namespace {

namespace fs = std::filesystem;

fs::path corpus() {
  if (const char* named = std::getenv("VNET_CORPUS")) return named;
  return fs::path(__FILE__).parent_path() / "../../../shared/corpus";
}

std::string content(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

struct Expectation {
  fs::path file;
  std::string result;
};

std::vector<Expectation> expectations() {
  std::vector<Expectation> all;
  for (const auto& folder : fs::directory_iterator(corpus())) {
    std::ifstream table(folder.path() / "expected.tsv");
    std::string file, result;
    while (std::getline(table, file, '\t') && std::getline(table, result))
      all.push_back({folder.path() / file, result});
  }
  return all;
}

// Without comments, and without the files' paths, which are ours.
std::string comparable(const std::string& conf) {
  std::istringstream lines(conf);
  std::string result;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with('#')) continue;
    for (const char* option : {"dhcp-hostsfile=", "addn-hosts="})
      if (line.starts_with(option)) line = option;
    result += line + "\n";
  }
  return result;
}

class Corpus : public testing::Test {
 protected:
  void SetUp() override {
    if (!fs::is_directory(corpus()))
      GTEST_SKIP() << "no folder " << corpus() << "; set VNET_CORPUS to libvirt's test data to run this test";
    ASSERT_FALSE(expectations().empty()) << "no expected.tsv below " << corpus();
  }
};

TEST_F(Corpus, DefinitionsAreTakenAndRoundTrip) {
  for (const auto& [file, result] : expectations()) {
    SCOPED_TRACE(file);
    std::vector<std::string> ignored;
    const auto network = parse_network(content(file), file.filename(), &ignored);
    EXPECT_THAT(ignored, testing::IsEmpty());
    ASSERT_EQ(network.has_value(), result == "define-ok") << (network ? "" : network.error().message);
    if (!network) continue;
    const auto once = format_network(*network);
    const auto again = parse_network(once, "written");
    ASSERT_TRUE(again) << again.error().message << "\n" << once;
    EXPECT_EQ(format_network(*again), once);
    // What dnsmasq is told does not change by being stored.
    EXPECT_EQ(dnsmasq_files(*again, {}, "b").conf, dnsmasq_files(*network, {}, "b").conf);
  }
}

TEST_F(Corpus, DnsmasqGetsWhatLibvirtGivesIt) {
  unsigned compared = 0;
  for (const auto& [file, result] : expectations()) {
    auto conf = file, hostsfile = file;
    conf.replace_extension(".conf");
    hostsfile.replace_extension(".hostsfile");
    if (!fs::exists(conf)) continue;
    SCOPED_TRACE(file);
    const auto network = parse_network(content(file), file.filename());
    ASSERT_TRUE(network);
    const auto files = dnsmasq_files(*network, {"", "", "/h", "/a"}, network->bridge);
    EXPECT_EQ(comparable(files.conf), comparable(content(conf)));
    EXPECT_EQ(files.hostsfile, fs::exists(hostsfile) ? content(hostsfile) : "");
    ++compared;
  }
  EXPECT_GT(compared, 0U);
}

}  // namespace
}  // namespace vnet
