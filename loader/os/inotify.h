// SPDX-License-Identifier: GPL-2.0-or-later
// inotify instances: a user may have so many, and every dnsmasq takes one.
#pragma once

#include <string>

namespace vnet {

// What the user namespace that we are in allows a user: fs.inotify.max_user_instances. 0: not to be seen.
unsigned inotify_limit();
// How many of ours are taken: those of dnsmasq, too, which asks for its own before it becomes another user.
unsigned inotify_used();
// The command that makes room for some hundred networks.
std::string raise_inotify_limit(unsigned limit);

}  // namespace vnet
