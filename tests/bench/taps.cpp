// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/bench/taps.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <stdexcept>

#include "tests/bench/frame.h"
#include "tests/bench/programs.h"
#include "tests/bench/tools.h"

namespace vnet::bench {
namespace {

constexpr unsigned batch = 64;            // as many as vhost takes at a time
constexpr std::size_t header_bytes = 10;  // struct virtio_net_hdr, whose kernel header is not C++
constexpr std::size_t largest = 1 << 17;

Fd open_tap(const Place& where) {
  enter_namespace(where.where);
  Fd fd(::open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK));
  if (!fd) fail("opening /dev/net/tun");
  ifreq request{};
  request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
  where.interface.copy(request.ifr_name, IFNAMSIZ - 1);
  if (::ioctl(fd.get(), TUNSETIFF, &request) < 0) fail("opening tap " + where.interface);
  if (::ioctl(fd.get(), TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN) < 0)
    fail("setting the offloads of tap " + where.interface);
  return fd;
}

// Reads all that waits there and counts the benchmark's own.
std::uint64_t drain(const Fd& tap, const UdpFrame& frame, unsigned flows, bool answers = false) {
  std::array<std::uint8_t, 2048> data;
  const std::size_t port_at = header_bytes + frame.udp_at + (answers ? 0 : 2);
  std::uint64_t found = 0;
  for (;;) {
    ssize_t n = ::read(tap.get(), data.data(), data.size());
    if (n < 0) return found;
    if (static_cast<std::size_t>(n) < header_bytes + frame.size) continue;
    unsigned port = data[port_at] << 8 | data[port_at + 1];
    if (port >= first_dport && port <= last_dport(flows)) found++;
  }
}

class TapSender {
 public:
  TapSender(const RateOptions& o, const Fd& from, const Fd& to)
      : flows_(o.flows),
        from_(from),
        to_(to),
        frame_(udp_frame(o.source_mac, o.target_mac, o.source, o.target)) {}

  void send(std::uint64_t frames) {
    std::array<std::uint8_t, header_bytes> plain{};  // a finished checksum, no segments
    for (std::uint64_t i = 0; i < frames; i++) {
      frame_.set_flow(flow_);
      flow_ = flow_ + 1 < flows_ ? flow_ + 1 : 0;
      std::array<iovec, 2> parts{{{plain.data(), plain.size()}, {frame_.bytes.data(), frame_.size}}};
      if (::writev(from_.get(), parts.data(), parts.size()) < 0) fail("writing into the tap");
      if (to_ && (i + 1) % batch == 0) received_ += drain(to_, frame_, flows_);
    }
    if (to_) received_ += drain(to_, frame_, flows_);
  }

  std::uint64_t received() const { return received_; }

 private:
  unsigned flows_;
  unsigned flow_ = 0;
  const Fd& from_;
  const Fd& to_;
  UdpFrame frame_;
  std::uint64_t received_ = 0;
};

// One direction of a guest: what waits at `from`, up to a batch of it.
void relay(const Fd& from, const Fd& to, std::vector<char>& block) {
  for (unsigned i = 0; i < batch; i++) {
    ssize_t n = ::read(from.get(), block.data(), block.size());
    if (n < 0) return;
    // A guest whose queue is full, or an interface that is down, loses frames like any other.
    (void)!::write(to.get(), block.data(), static_cast<std::size_t>(n));
  }
}

}  // namespace

TapReader::TapReader(const RateOptions& options)
    : tap_(open_tap(place(options.tap_to))),
      thread_([this, options](const std::stop_token& stop) { read(stop, options); }) {}

void TapReader::read(const std::stop_token& stop, const RateOptions& options) {
  pin_to_cpu(options.cpu + 1);
  pollfd wait{.fd = tap_.get(), .events = POLLIN, .revents = 0};
  UdpFrame frame = udp_frame(options.source_mac, options.target_mac, options.source, options.target);
  while (!stop.stop_requested())
    if (::poll(&wait, 1, 50) > 0) received_ += drain(tap_, frame, options.flows, options.answers);
}

nlohmann::json measure_tap_rate(const RateOptions& o) {
  Fd from = open_tap(place(o.from)), to;
  if (!o.tap_to.empty()) to = open_tap(place(o.tap_to));
  Programs programs(o);
  pin_to_cpu(o.cpu);
  TapSender sender(o, from, to);
  auto received = [&] { return sender.received() + programs.received(); };

  std::uint64_t all = 0, frames = 1 << 12;
  double took = 0;
  // An interface whose user has just come takes a moment until the bridge forwards.
  for (auto start = Clock::now(); since(start) < o.warm_up || received() == 0;) {
    if (since(start) > 10) throw std::runtime_error("nothing arrives from tap " + o.from);
    auto one = Clock::now();
    sender.send(frames);
    all += frames;
    took = since(one);
  }
  frames = std::max(frames, static_cast<std::uint64_t>(static_cast<double>(frames) * o.seconds / took));
  std::uint64_t before = received();
  auto start = Clock::now();
  sender.send(frames);
  took = since(start);
  std::uint64_t arrived = received() - before;
  return {{"sent", frames},
          {"all", all + frames},
          {"received", arrived},
          {"seconds", took},
          {"rate", static_cast<double>(arrived) / took}};
}

void relay_until_killed(const std::vector<std::string>& pairs) {
  std::vector<Fd> taps;
  std::vector<pollfd> waits;
  for (const auto& text : pairs) {
    taps.push_back(open_tap(place(text)));
    waits.push_back({.fd = taps.back().get(), .events = POLLIN, .revents = 0});
  }
  pin_to_cpu(0);
  std::vector<char> block(largest);
  fmt::print("ready\n");
  std::fflush(stdout);
  for (;;) {
    if (::poll(waits.data(), waits.size(), -1) < 0 && errno != EINTR) fail("waiting for frames");
    for (std::size_t i = 0; i < taps.size(); i++) {
      if (waits[i].revents) relay(taps[i], taps[i ^ 1], block);  // an end that went down says so: read on
    }
  }
}

}  // namespace vnet::bench
