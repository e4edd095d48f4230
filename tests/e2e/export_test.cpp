// SPDX-License-Identifier: GPL-2.0-or-later
// `export`, judged by Prometheus itself.
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <filesystem>
#include <sstream>

#include "tests/e2e/network_fixture.h"

namespace vnet::test {
namespace {

using testing::HasSubstr;

class ExportTest : public NetworkTest {
 protected:
  void some_traffic() {
    start();
    plug("g1", 11);
    ASSERT_TRUE(guest("g1").pings("203.0.113.1"));
    guest("g1").sh("printf x > /dev/udp/203.0.113.1/9 || busybox nc -u -w1 203.0.113.1 9 </dev/null");
  }

  Background serve() {
    return host().background({"env", "VNET_BPF_STATE_DIR=" + ground().state_dir().string(), VNET_PROGRAM,
                              "export", "--listen", at});
  }

  std::string scrape() {
    return host().sh(std::string("printf 'GET /metrics HTTP/1.0\\r\\n\\r\\n' | socat -t5 - TCP:") + at).out;
  }

  static constexpr const char* at = "127.0.0.1:9437";
};

std::string slurp(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

TEST_F(ExportTest, PromtoolFindsNothingToSay) {
  some_traffic();
  std::string text = file("metrics", vnet({"export"}).out);
  EXPECT_THAT(slurp(text),
              HasSubstr("vnet_bpf_port_transmit_packets_total{network=\"lab\",interface=\"g1\"}"));
  Output checked = sh("promtool check metrics < " + text);
  EXPECT_TRUE(checked.ok()) << checked.out << checked.err << slurp(text);
  EXPECT_EQ("", checked.out + checked.err);  // lint warnings
}

TEST_F(ExportTest, NothingHasBeenStarted) {
  std::string text = file("metrics", vnet({"export"}).out);
  EXPECT_THAT(slurp(text), HasSubstr("vnet_bpf_up 1\n"));
  EXPECT_TRUE(sh("promtool check metrics < " + text).ok());
}

TEST_F(ExportTest, TheTextfileIsReplacedAtOnce) {
  some_traffic();
  auto folder = ground().state_dir() / "textfile";
  std::filesystem::create_directory(folder);
  std::string path = folder / "vnet-bpf.prom";
  std::ofstream(path) << "old\n";
  std::ifstream reader(path);  // has it open meanwhile
  vnet({"export", "--textfile", path});
  std::string line;
  EXPECT_TRUE(std::getline(reader, line) && line == "old");  // not written into
  EXPECT_THAT(slurp(path), HasSubstr("vnet_bpf_network_active{network=\"lab\"} 1\n"));
  struct stat facts {};
  ASSERT_EQ(0, stat(path.c_str(), &facts));
  EXPECT_EQ(0644U, facts.st_mode & 07777);  // node_exporter is not root
  EXPECT_EQ(1, std::distance(std::filesystem::directory_iterator(folder), {}));
  EXPECT_EQ(2, ground().vnet({"export", "--textfile", folder / "vnet-bpf.txt"}).status);
  EXPECT_EQ(1, ground().vnet({"export", "--textfile", folder / "none" / "x.prom"}).status);
}

TEST_F(ExportTest, ARealPrometheusScrapesIt) {
  some_traffic();
  Background exporter = serve();
  std::string config = file("prometheus.yml",
                            "global: {scrape_interval: 1s}\nscrape_configs:\n- job_name: vnet-bpf\n"
                            "  static_configs: [{targets: ['127.0.0.1:9437']}]\n");
  Background server = host().background({"prometheus", "--config.file=" + config,
                                         "--storage.tsdb.path=" + (ground().state_dir() / "tsdb").string(),
                                         "--web.listen-address=127.0.0.1:9090", "--log.level=error"});
  auto ask = [&](const std::string& query) {
    return host().exec({"promtool", "query", "instant", "http://127.0.0.1:9090", query}).out;
  };
  const std::string query = "vnet_bpf_port_transmit_packets_total{interface=\"g1\",network=\"lab\"}";
  std::string answer;
  ASSERT_TRUE(wait_until([&] { return (answer = ask(query)).find("=> ") != std::string::npos; },
                         std::chrono::seconds(60)));
  // 'NAME{LABELS} => 12 @[1700000000.123]'
  auto arrow = answer.find("=> ");
  EXPECT_THAT(answer, HasSubstr("instance=\"127.0.0.1:9437\""));
  // What it sends now shows up in a later scrape.
  auto scraped = std::stoull(answer.substr(arrow + 3));
  ASSERT_TRUE(guest("g1").pings("203.0.113.1"));
  std::uint64_t now = ground().vnet_json({"stats"})["ports"][0]["tx_packets"];
  EXPECT_GT(now, scraped);
  EXPECT_TRUE(wait_until(
      [&] {
        auto later = ask(query);
        return later.size() > arrow && std::stoull(later.substr(later.find("=> ") + 3)) >= now;
      },
      std::chrono::seconds(30)))
      << ask(query);
  EXPECT_THAT(ask("up{job=\"vnet-bpf\"}"), HasSubstr("=> 1 "));
}

TEST_F(ExportTest, ServesThroughStopAndStart) {
  some_traffic();
  Background exporter = serve();
  ASSERT_TRUE(wait_until([&] { return scrape().find("vnet_bpf_port_sessions") != std::string::npos; }))
      << scrape();
  vnet({"stop", "lab"});
  auto text = scrape();
  EXPECT_THAT(text, HasSubstr("vnet_bpf_network_active{network=\"lab\"} 0\n"));
  EXPECT_THAT(text, testing::Not(HasSubstr("vnet_bpf_port_sessions")));
  vnet({"start", "lab"});
  EXPECT_THAT(scrape(), HasSubstr("vnet_bpf_network_active{network=\"lab\"} 1\n"));
}

// Who asks for nothing keeps nobody from asking.
TEST_F(ExportTest, HalfOpenRequestsBlockNobody) {
  start();
  Background exporter = serve();
  ASSERT_TRUE(wait_until([&] { return scrape().find("vnet_bpf_up 1") != std::string::npos; }));
  std::vector<Background> silent;
  for (const char* begun : {"", "GET /met", "GET /metrics HTTP/1.1\\r\\nHost: x\\r\\n"})
    for (int i = 0; i < 30; ++i)
      silent.push_back(host().background(
          {"bash", "-c",
           std::string("exec 3<>/dev/tcp/127.0.0.1/9437; printf '") + begun + "' >&3; exec sleep 60"}));
  for (int i = 0; i < 5; ++i) {
    const auto before = std::chrono::steady_clock::now();
    EXPECT_THAT(scrape(), HasSubstr("vnet_bpf_up 1"));
    EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(4));
  }
  // They are cut off.
  EXPECT_TRUE(wait_until([&] { return host().sh("ss -Htn state established sport = :9437").out.empty(); },
                         std::chrono::seconds(15)));
}

TEST_F(ExportTest, EndsWithZeroOnATermination) {
  start();
  for (int signal : {SIGTERM, SIGINT}) {
    std::string state = "env VNET_BPF_STATE_DIR=" + ground().state_dir().string() + " ";
    Output ran =
        host().exec({"bash", "-c",
                     state + VNET_PROGRAM + " export --listen " + at + " 2>" + file("served", "") +
                         " & pid=$!; until grep -q serving " + (ground().state_dir() / "served").string() +
                         "; do read -t 0.05 <> <(:); done; kill -" + std::to_string(signal) +
                         " $pid; wait $pid; echo ended $?"});
    EXPECT_EQ("ended 0\n", ran.out) << ran.err;
    EXPECT_FALSE(ran.timed_out);
  }
}

TEST_F(ExportTest, WhatCannotBeServedIsSaid) {
  Output taken = ground().vnet({"export", "--listen", "192.0.2.77:9437"});
  EXPECT_EQ(1, taken.status);
  EXPECT_THAT(taken.err, HasSubstr("cannot listen on 192.0.2.77:9437"));
  for (const char* bad :
       {"9437", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:70000", "::1:80", "localhost:80", "[::1]:"})
    EXPECT_EQ(2, ground().vnet({"export", "--listen", bad}).status) << bad;
}

}  // namespace
}  // namespace vnet::test
