// SPDX-License-Identifier: GPL-2.0-or-later
// Programs of another build: told from this one's, kept while they are replaced, put back.
#include <bpf/bpf.h>

#include "direct.skel.h"
#include "loader/bpf/before.h"
#include "loader/bpf/build.h"
#include "loader/bpf/datapath.h"
#include "network.skel.h"
#include "uplink.skel.h"
#include "xdp.skel.h"

namespace vnet {
namespace {

std::uint64_t build_for(Role role) {
#define VNET_BUILD(role, object, folder, egress, ingress) this_build<object##_bpf>,
  constexpr std::uint64_t (*builds[])() = {VNET_TC_PROGRAMS(VNET_BUILD)};
  return builds[static_cast<std::size_t>(role)]();
}

// What cannot be read is not asked about here: it is missing.
bool is_of(const Result<Fd>& program, std::uint64_t build) {
  return !program || !*program || build_of(program->get()) == build;
}

std::string limit_name(const std::string& interface) {
  return interface + "%police";
}
std::string xdp_name(const std::string& interface) {
  return interface + "%xdp";
}

}  // namespace

bool Datapath::is_ours(Role role, int program) {
  return build_of(program) == build_for(role);
}

bool Datapath::is_current(const Attachment& attachment) const {
  std::error_code ignored;
  for (const auto& pin : std::filesystem::directory_iterator(pins_ / program_folder(attachment), ignored))
    if (!is_of(Fd(bpf_obj_get(pin.path().c_str())), build_for(attachment.role))) return false;
  return true;
}

bool Datapath::has_old_limit(const std::string& interface, int ifindex) const {
  auto there = attached_program(old_police_point(interface, ifindex));
  return there && *there;
}

bool Datapath::is_xdp_current(const std::string& interface, int ifindex) const {
  return is_of(attached_xdp(interface, ifindex), this_build<xdp_bpf>());
}

Result<void> Datapath::keep_programs(const Attachment& attachment) const {
  return Before(pins_).keep_folder(program_folder(attachment));
}

Result<void> Datapath::put_back_programs(const Attachment& attachment) const {
  return Before(pins_).put_back_folder(program_folder(attachment));
}

Result<void> Datapath::take_old_limit(const std::string& interface, int ifindex) const {
  VNET_ASSIGN(auto program, attached_program(old_police_point(interface, ifindex)));
  VNET_TRY(Before(pins_).keep(limit_name(interface), program));
  return detach_program(old_police_point(interface, ifindex));
}

Result<void> Datapath::put_back_old_limit(const std::string& interface, int ifindex) const {
  Fd program = Before(pins_).kept(limit_name(interface));
  return program ? attach_program(old_police_point(interface, ifindex), program.get()) : Result<void>{};
}

Result<void> Datapath::keep_xdp(const std::string& interface, int ifindex) const {
  VNET_ASSIGN(auto program, attached_xdp(interface, ifindex));
  return Before(pins_).keep(xdp_name(interface), program);
}

Result<void> Datapath::put_back_xdp(const std::string& interface, int ifindex) const {
  Fd program = Before(pins_).kept(xdp_name(interface));
  return program ? replace_xdp(xdp_point(interface, ifindex), program.get()) : Result<void>{};
}

}  // namespace vnet
