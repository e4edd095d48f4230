// SPDX-License-Identifier: GPL-2.0-or-later
// Input that nobody writes by hand: an error with a line, never a crash, never a second file opened.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loader/config/network_xml.h"

namespace vnet {
namespace {

Error refused(const std::string& xml) {
  const auto network = parse_network(xml, "evil.xml");
  EXPECT_FALSE(network);
  return network ? Error{} : network.error();
}

TEST(HostileXml, EntityBomb) {
  std::string xml = "<?xml version='1.0'?>\n<!DOCTYPE network [\n<!ENTITY a 'aaaaaaaaaa'>\n";
  for (char c = 'b'; c < 'k'; ++c) {
    xml += std::string("<!ENTITY ") + c + " '";
    for (int i = 0; i < 10; ++i) xml += std::string("&") + static_cast<char>(c - 1) + ";";
    xml += "'>\n";
  }
  const auto error = refused(xml + "]>\n<network><name>&j;</name></network>");
  EXPECT_THAT(error.message, testing::HasSubstr("<!DOCTYPE>"));
  EXPECT_EQ(error.line, 2);
}

TEST(HostileXml, ExternalEntity) {
  const auto error = refused(
      "<!DOCTYPE network [<!ENTITY x SYSTEM 'file:///etc/hostname'>]><network><name>&x;</name></network>");
  EXPECT_THAT(error.message, testing::HasSubstr("<!DOCTYPE>"));
  EXPECT_THAT(refused("<!DOCTYPE network SYSTEM 'http://127.0.0.1/x.dtd'><network/>").message,
              testing::HasSubstr("<!DOCTYPE>"));
}

TEST(HostileXml, UndeclaredEntity) {
  EXPECT_EQ(refused("<network>\n<name>&x;</name></network>").line, 2);
}

TEST(HostileXml, EveryTruncation) {
  const auto whole = format_network(default_network());
  for (std::size_t length = 0; length + 1 < whole.size(); ++length) {
    const auto error = refused(whole.substr(0, length));
    EXPECT_GE(error.line, 1);
    EXPECT_EQ(error.file, "evil.xml");
    EXPECT_FALSE(error.message.empty());
    EXPECT_EQ(error.message.find('\n'), std::string::npos);
  }
}

TEST(HostileXml, EveryByteReplaced) {
  const auto whole = format_network(default_network());
  for (std::size_t at = 0; at < whole.size(); ++at)
    for (const char c : {'\0', '<', '&', '\'', '\x80', '\x01', '\n'}) {
      auto changed = whole;
      changed[at] = c;
      const auto network = parse_network(changed, "f");
      EXPECT_GE(network ? 1 : network.error().line, 1);
    }
}

TEST(HostileXml, TooLarge) {
  const std::string filler(1 << 20, ' ');
  EXPECT_THAT(refused("<network><name>n</name>" + filler + "</network>").message,
              testing::HasSubstr("larger"));
}

TEST(HostileXml, NulByte) {
  const std::string xml("<network>\n<name>a\0b</name></network>", 37);
  const auto error = refused(xml);
  EXPECT_THAT(error.message, testing::HasSubstr("NUL"));
  EXPECT_EQ(error.line, 2);
}

TEST(HostileXml, Deep) {
  std::string xml;
  for (int i = 0; i < 50000; ++i) xml += "<network>";
  refused(xml);
}

// It would be stored as something that cannot be read again.
TEST(HostileXml, NamespacesThatAreNoUri) {
  for (const char* uri : {"a&amp;b", "a&lt;b", "a&#10;b", "a b"}) {
    const auto error = refused(std::string("<network><name>n</name>\n<metadata><x:y xmlns:x='") + uri +
                               "'/></metadata></network>");
    EXPECT_THAT(error.message, testing::HasSubstr("<y>: the name of a namespace")) << uri;
    EXPECT_EQ(error.line, 2) << uri;
  }
}

TEST(HostileXml, LongValuesAreCutInMessages) {
  const auto error =
      refused("<network><name>n</name><forward mode='" + std::string(100000, 'x') + "'/></network>");
  EXPECT_LT(error.message.size(), 300U);
}

TEST(HostileXml, LinesBeyond65535) {
  const auto error =
      refused("<network><name>n</name>" + std::string(70000, '\n') + "<forward mode='x'/></network>");
  EXPECT_EQ(error.line, 70001);
}

}  // namespace
}  // namespace vnet
