// SPDX-License-Identifier: GPL-2.0-or-later
// The tests' own tools: running programs, on the host and in the kernel.
#include <bpf/bpf.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <optional>

#include "tests/support/packet.h"
#include "tests/support/prog_run.h"
#include "tests/support/shell.h"

namespace vnet::test {
namespace {

TEST(Shell, KeepsOutputAndStatusApart) {
  Output ran = sh("echo out; echo err >&2; exit 3");
  EXPECT_EQ("out\n", ran.out);
  EXPECT_EQ("err\n", ran.err);
  EXPECT_EQ(3, ran.status);
  EXPECT_EQ(127, execute({"/no/such/program"}).status);
}

TEST(Shell, KillsWhatTakesTooLong) {
  Output ran = sh("sleep 30", std::chrono::milliseconds(100));
  EXPECT_TRUE(ran.timed_out);
  EXPECT_FALSE(ran.ok());
}

TEST(Shell, DoesNotWaitForDaemonsLeftBehind) {
  auto start = std::chrono::steady_clock::now();
  EXPECT_EQ("started\n", sh("sleep 3 & echo started").out);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
}

TEST(Shell, BackgroundProcessesEndWithTheirScope) {
  pid_t pid = 0;
  {
    Background sleeper({"sleep", "30"});
    pid = sleeper.pid();
    EXPECT_EQ(0, kill(pid, 0));
  }
  EXPECT_EQ(-1, kill(pid, 0));
}

TEST(ProgRun, ReturnsVerdictPacketAndMetadata) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  // skb->mark += 1; return 2 (TC_ACT_SHOT)
  const bpf_insn code[] = {{BPF_LDX | BPF_MEM | BPF_W, 2, 1, 8, 0},
                           {BPF_ALU64 | BPF_ADD | BPF_K, 2, 0, 0, 1},
                           {BPF_STX | BPF_MEM | BPF_W, 1, 2, 8, 0},
                           {BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 2},
                           {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}};
  int fd = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "mark", "GPL", code, std::size(code), nullptr);
  ASSERT_GE(fd, 0);
  Bytes sent = Ethernet{} / Ipv4{} / Udp{} / Payload(30);
  RunResult result = run(fd, sent, {.mark = 41});
  close(fd);
  EXPECT_EQ(2, result.verdict);
  EXPECT_EQ(sent, result.packet);
  EXPECT_EQ(42U, result.context.mark);
}

}  // namespace
}  // namespace vnet::test
