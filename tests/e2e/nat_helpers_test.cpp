// SPDX-License-Identifier: GPL-2.0-or-later
// Protocols that name addresses or ports in what they say, or come back from others, through the masquerade:
// TFTP and FTP with clients and servers that people use, GRE. docs/rfc.md has the table.
#include <fstream>

#include "tests/e2e/real_host_fixture.h"

namespace vnet::test {
namespace {

using testing::HasSubstr;

class NatHelpers : public RealHostTest {
 protected:
  void SetUp() override {
    RealHostTest::SetUp();
    if (IsSkipped()) return;
    up(nat);
    plug(nat);
    plug(nat, 12);
    served_ = ground().state_dir() / "served";
    std::filesystem::create_directories(served_);
    std::ofstream(served_ / "file") << content();
    outside().must("chmod -R a+rX " + served_.string());
  }
  static std::string content() {
    std::string text;
    for (int i = 0; i < 20'000; ++i) text += "line " + std::to_string(i) + "\n";
    return text;
  }
  static std::string in_url(const std::string& ip) { return ip.contains(':') ? "[" + ip + "]" : ip; }
  // What a guest downloads; "": nothing.
  std::string download(const std::string& url, const Argv& options = {}, int number = 11) {
    const auto into = ground().state_dir() / "got";
    std::filesystem::remove(into);
    Argv words{"curl", "-sS", "--max-time", "20", "-o", into.string()};
    words.insert(words.end(), options.begin(), options.end());
    words.push_back(url);
    Output output = guest(nat.guest(number)).exec(words);
    said_ = output.err;
    std::ifstream file(into);
    return output.ok() ? std::string(std::istreambuf_iterator<char>(file), {}) : "";
  }
  Background ftp_server(const std::string& ip, int port = 21) {
    const std::string script = fmt::format(
        "from pyftpdlib.authorizers import DummyAuthorizer\nfrom pyftpdlib.handlers import FTPHandler\n"
        "from pyftpdlib.servers import FTPServer\n"
        "who = DummyAuthorizer(); who.add_anonymous('{}', perm='elradfmw')\n"
        "FTPHandler.authorizer = who; FTPServer(('{}', {}), FTPHandler).serve_forever()\n",
        served_.string(), ip, port);
    auto server = outside().background({"/usr/bin/python3", "-c", script});
    EXPECT_TRUE(
        wait_until([&] { return outside().sh(fmt::format("ss -Hltn sport = :{} | grep -q .", port)).ok(); }));
    return server;
  }

  std::filesystem::path served_;
  std::string said_;
};

// dnsmasq's server, as a PXE client meets it: the answers come from a port of their own.
TEST_P(NatHelpers, TftpDownloads) {
  Background server = outside().background({"dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null",
                                            "--port=0", "--enable-tftp", "--tftp-root=" + served_.string(),
                                            "--user=root", "--pid-file="});
  ASSERT_TRUE(wait_until([&] { return outside().sh("ss -Hlun sport = :69 | grep -q .").ok(); }));
  both_families([&](bool v6) {
    for (int number : {11, 12})
      EXPECT_EQ(content(), download("tftp://" + in_url(eth0.theirs(v6)) + "/file", {}, number))
          << said_ << seen();
  });
  const auto got = ground().state_dir() / "busybox";
  EXPECT_TRUE(guest(nat.guest())
                  .exec({"busybox", "tftp", "-g", "-l", got.string(), "-r", "file", eth0.theirs(false)})
                  .ok());
  EXPECT_EQ(content(), sh("cat " + got.string()).out);
}

TEST_P(NatHelpers, FtpDownloadsPassivelyAndActively) {
  both_families([&](bool v6) {
    Background server = ftp_server(eth0.theirs(v6));
    const std::string url = "ftp://" + in_url(eth0.theirs(v6)) + "/file";
    EXPECT_EQ(content(), download(url)) << "EPSV: " << said_;
    if (!v6) {
      EXPECT_EQ(content(), download(url, {"--disable-epsv"})) << "PASV: " << said_;
    }
    for (int number : {11, 12}) {
      EXPECT_EQ(content(), download(url, {"--ftp-port", "-"}, number)) << "EPRT: " << said_ << seen();
      if (!v6) {
        EXPECT_EQ(content(), download(url, {"--ftp-port", "-", "--disable-eprt"}, number))
            << "PORT: " << said_ << seen();
      }
    }
  });
}

// Commands in the middle of a session, of other lengths than what they become: numbers stay right all along.
TEST_P(NatHelpers, FtpGoesOnAfterManyActiveTransfers) {
  Background server = ftp_server(eth0.theirs(false));
  const std::string script = fmt::format(
      "import ftplib, io\nf = ftplib.FTP(); f.connect('{0}', 21, timeout=20); f.login(); f.set_pasv(False)\n"
      "want = open('{1}/file', 'rb').read()\n"
      "for i in range(20):\n"
      "    got = io.BytesIO(); f.retrbinary('RETR file', got.write)\n"
      "    assert got.getvalue() == want, i\n"
      "    f.storbinary('STOR up%d' % i, io.BytesIO(want[:1000 * i]))\n"
      "    assert f.size('up%d' % i) == 1000 * i\n"
      "print(len(f.nlst()), f.pwd()); f.quit()\n",
      eth0.theirs(false), served_.string());
  Output output = guest(nat.guest()).exec({"python3", "-c", script});
  EXPECT_EQ("21 /\n", output.out) << output.err << seen();
}

// An active connection is one from outside: a port that takes answers only does not take it.
TEST_P(NatHelpers, AnInboundPolicyHoldsForActiveFtp) {
  Background server = ftp_server(eth0.theirs(false));
  vnet({"set", nat.guest(), "--inbound", "established"});
  const std::string url = "ftp://" + eth0.theirs(false) + "/file";
  EXPECT_EQ("", download(url, {"--ftp-port", "-", "--max-time", "5"}));
  EXPECT_GT(dropped("inbound"), 0U);
  EXPECT_EQ(content(), download(url));
}

// GRE (PPTP, tunnels) has no ports: one guest at a time for each far end. By raw sockets, which need no
// module.
TEST_P(NatHelpers, GreIsOneGuestsForEachFarEnd) {
  const std::string answer =
      "import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_RAW, 47)\n"
      "while True:\n    data, peer = s.recvfrom(2000); s.sendto(data[20:], peer)\n";
  const std::string ask = fmt::format(
      "import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_RAW, 47); s.settimeout(1)\n"
      "for i in range(5):\n    s.sendto(bytes([0, 0, 8, 0]) + b'hello', ('{}', 0))\n"
      "    try: print(s.recv(2000)[24:].decode()); break\n    except TimeoutError: pass\n",
      eth0.theirs(false));
  Background server = outside().background({"python3", "-c", answer});
  EXPECT_EQ("hello\n", guest(nat.guest()).exec({"python3", "-c", ask}).out) << seen();
  EXPECT_EQ("", guest(nat.guest(12)).exec({"python3", "-c", ask}).out);
  EXPECT_GT(dropped("ports-exhausted"), 0U);
}

INSTANTIATE_TEST_SUITE_P(All, NatHelpers, testing::Values("tcx", "clsact"), way_of);

}  // namespace
}  // namespace vnet::test
