// SPDX-License-Identifier: GPL-2.0-or-later
// Hostile guests against a host with a network of each mode: docs/design.md, Tests. Exit code 0: no frame was
// seen where it must not be; 1: some were; 2: usage; 3: nothing can be said.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include "tests/hostile/run.h"

int main(int argc, char** argv) {
  vnet::hostile::Options options;
  long seconds = 0, only = -1;
  CLI::App app("Mutated frames of hostile guests; sniffers see whether one gets where it must not.");
  app.add_option("--frames", options.frames, "How many to send")->capture_default_str();
  app.add_option("--seed", options.seed, "The same seed, the same frames")->capture_default_str();
  app.add_option("--seconds", seconds, "Stop after that time");
  app.add_option("--from", options.from, "Begin with the frame of that number");
  app.add_option("--only", only, "Send that frame alone");
  CLI11_PARSE(app, argc, argv);
  if (geteuid() != 0) {
    fmt::print("[  SKIPPED ] needs root\n");
    return 3;
  }
  options.limit = std::chrono::seconds(seconds);
  if (only >= 0) {
    options.from = static_cast<std::uint32_t>(only);
    options.frames = 1;
  }
  try {
    vnet::hostile::Run run(options);
    if (!run.honest_are_seen()) {
      fmt::print("the sniffers are blind: what may be seen is not, so what is not seen says nothing\n");
      return 3;
    }
    run.shoot();
    return run.report() ? 0 : 1;
  } catch (const std::exception& error) {
    fmt::print(stderr, "hostile_guest: {}\n", error.what());
    return 3;
  }
}
