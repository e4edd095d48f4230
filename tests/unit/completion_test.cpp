// SPDX-License-Identifier: GPL-2.0-or-later
// Each shell reads its script and offers what the command line has.
#include "cli/verbs/completion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loader/base/files.h"
#include "loader/os/process.h"
#include "tests/support/temporary_folder.h"

namespace vnet::cli::verbs {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// What `shell` prints of `commands`, with the script in $1.
std::string said(const std::string& shell, const std::string& script, const std::string& commands) {
  test::TemporaryFolder folder;
  const auto path = folder.path() / "script";
  EXPECT_TRUE(write_file(path, script));
  auto output = shell == "fish" ? run({shell, "--no-config", "-c", commands, path.string()})
                                : run({shell, "-c", commands, shell, path.string()});
  EXPECT_TRUE(output) << (output ? "" : output.error().message);
  if (!output) return "";
  EXPECT_EQ("", output->err) << shell;
  return output->out;
}

#define NEEDS(shell) \
  if (!find_program(shell)) GTEST_SKIP() << shell << " is not installed"

TEST(Completion, OfBashOffersVerbsAndOptions) {
  auto offered = [](const std::string& words, int at) {
    return said("bash", bash_completion(),
                ". \"$1\"; COMP_WORDS=(" + words + "); COMP_CWORD=" + std::to_string(at) +
                    "; _vnet_bpf; echo \"${COMPREPLY[@]}\"");
  };
  EXPECT_THAT(offered("vnet-bpf ''", 1),
              AllOf(HasSubstr("define"), HasSubstr("monitor"), Not(HasSubstr("hook"))));
  EXPECT_THAT(offered("vnet-bpf stats --", 2), AllOf(HasSubstr("--watch"), HasSubstr("--json")));
}

TEST(Completion, OfFishOffersVerbsAndOptions) {
  NEEDS("fish");
  auto offered = [](const std::string& line) {
    return said("fish", fish_completion(), "source $argv[1]; complete -C '" + line + "'");
  };
  EXPECT_THAT(offered("vnet-bpf "),
              AllOf(HasSubstr("define\t"), HasSubstr("monitor\t"), Not(HasSubstr("hook\t"))));
  EXPECT_THAT(offered("vnet-bpf stats --"),
              AllOf(HasSubstr("--watch"), HasSubstr("--json"), Not(HasSubstr("--mac"))));
  EXPECT_THAT(offered("vnet-bpf attach g1 --inbound "),
              AllOf(HasSubstr("established"), Not(HasSubstr("define"))));
}

// What it offers is bash's; that it is read, and registered for the command.
TEST(Completion, OfZshIsReadByIt) {
  NEEDS("zsh");
  EXPECT_EQ("_bash_complete -o filenames -F _vnet_bpf vnet-bpf\n",
            said("zsh", zsh_completion(), "compdef() { print -r -- $@ }; . \"$1\""));
}

#undef NEEDS

}  // namespace
}  // namespace vnet::cli::verbs
