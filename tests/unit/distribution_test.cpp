// SPDX-License-Identifier: GPL-2.0-or-later
// Remedies are written for the distribution that os-release names.
#include "loader/os/distribution.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vnet {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST(DistributionTest, ReadsOsRelease) {
  auto read = parse_os_release(
      "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\n"
      "VERSION_CODENAME=bookworm\nno line of it\n");
  EXPECT_EQ("debian", read.id);
  EXPECT_EQ("bookworm", read.codename);
  EXPECT_EQ("", read.like);
}

TEST(DistributionTest, NamesItsOwnPackages) {
  auto mint = parse_os_release("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n");
  EXPECT_EQ("apt install dnsmasq-base", mint.install_dnsmasq());
  EXPECT_EQ("apt install linux-image-generic && reboot", mint.install_kernel());
  auto alma = parse_os_release("ID='almalinux'\nID_LIKE='rhel centos fedora'\n");
  EXPECT_EQ("dnf install dnsmasq", alma.install_dnsmasq());
  EXPECT_EQ("dnf upgrade kernel && reboot", alma.install_kernel());
}

TEST(DistributionTest, Debian12HasANewerKernelInItsBackports) {
  EXPECT_THAT(parse_os_release("ID=debian\nVERSION_CODENAME=bookworm").install_kernel(),
              StartsWith("apt install -t bookworm-backports linux-image-"));
  EXPECT_THAT(parse_os_release("ID=debian\nVERSION_CODENAME=trixie").install_kernel(),
              StartsWith("apt install linux-image-"));
}

TEST(DistributionTest, AnUnknownOneIsToldWhatToInstall) {
  auto unknown = parse_os_release("ID=plan9");
  EXPECT_THAT(unknown.install_dnsmasq(), StartsWith("# "));
  EXPECT_THAT(unknown.install_kernel(), testing::Not(HasSubstr("reboot")));
}

}  // namespace
}  // namespace vnet
