// SPDX-License-Identifier: GPL-2.0-or-later
// The socket and the exchange of messages; what is asked is in link.cpp, address_route.cpp, bridge_fdb.cpp.
#include "loader/netlink/netlink.h"

#include <linux/netlink.h>
#include <netlink/socket.h>
#include <sys/socket.h>

#include <cerrno>

#include "loader/netlink/netlink_message.h"

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

namespace vnet {

namespace {

struct Exchange {
  const netlink::OnMessage* on_message = nullptr;
  netlink::Answer answer;
  bool done = false;
  bool interrupted = false;
};

// The kernel's text after the errno of an NLMSG_ERROR (NETLINK_EXT_ACK).
std::string explanation_of(const nlmsgerr* error) {
  auto* header = reinterpret_cast<const nlmsghdr*>(reinterpret_cast<const char*>(error) - NLMSG_HDRLEN);
  if (!(header->nlmsg_flags & NLM_F_ACK_TLVS)) return {};
  int skip = static_cast<int>(sizeof(*error));
  if (!(header->nlmsg_flags & NLM_F_CAPPED)) skip += static_cast<int>(error->msg.nlmsg_len) - NLMSG_HDRLEN;
  skip = NLMSG_ALIGN(skip);
  int length = static_cast<int>(header->nlmsg_len) - NLMSG_HDRLEN - skip;
  if (length <= 0) return {};
  auto* first = reinterpret_cast<const char*>(error) + skip;
  netlink::Attributes<NLMSGERR_ATTR_MAX> attributes(reinterpret_cast<nlattr*>(const_cast<char*>(first)),
                                                    length);
  std::string text = attributes.string(NLMSGERR_ATTR_MSG);
  while (!text.empty() && (text.back() == '.' || text.back() == '\n')) text.pop_back();
  return text;
}

int on_valid(nl_msg* message, void* argument) {
  auto& state = *static_cast<Exchange*>(argument);
  if (state.on_message && *state.on_message) (*state.on_message)(nlmsg_hdr(message));
  return NL_OK;
}

int on_acknowledged(nl_msg*, void* argument) {
  static_cast<Exchange*>(argument)->done = true;
  return NL_STOP;
}

// A dump that fails half-way says so in its last message.
int on_finish(nl_msg* message, void* argument) {
  auto& state = *static_cast<Exchange*>(argument);
  nlmsghdr* header = nlmsg_hdr(message);
  int status = 0;
  if (nlmsg_datalen(header) >= static_cast<int>(sizeof(status)))
    std::memcpy(&status, nlmsg_data(header), sizeof(status));
  if (status < 0) state.answer.error = -status;
  state.done = true;
  return NL_STOP;
}

int on_interrupted(nl_msg*, void* argument) {
  static_cast<Exchange*>(argument)->interrupted = true;
  return NL_OK;
}

int on_error(sockaddr_nl*, nlmsgerr* error, void* argument) {
  auto& state = *static_cast<Exchange*>(argument);
  state.answer.error = -error->error;
  state.answer.explanation = explanation_of(error);
  state.done = true;
  return NL_STOP;
}

Exchange talk(nl_sock* socket, netlink::Message& message, const netlink::OnMessage* on_message) {
  Exchange state{.on_message = on_message};
  auto free_cb = [](nl_cb* cb) { nl_cb_put(cb); };
  std::unique_ptr<nl_cb, decltype(free_cb)> cb(nl_cb_alloc(NL_CB_DEFAULT), free_cb);
  if (!cb) {
    state.answer.error = ENOMEM;
    return state;
  }
  nl_cb_set(cb.get(), NL_CB_VALID, NL_CB_CUSTOM, on_valid, &state);
  nl_cb_set(cb.get(), NL_CB_ACK, NL_CB_CUSTOM, on_acknowledged, &state);
  nl_cb_set(cb.get(), NL_CB_FINISH, NL_CB_CUSTOM, on_finish, &state);
  nl_cb_set(cb.get(), NL_CB_DUMP_INTR, NL_CB_CUSTOM, on_interrupted, &state);
  nl_cb_err(cb.get(), NL_CB_CUSTOM, on_error, &state);

  nlmsg_hdr(message.get())->nlmsg_seq = NL_AUTO_SEQ;  // a repeated request gets a number of its own
  if (int sent = nl_send_auto(socket, message.get()); sent < 0) {
    state.answer = {EIO, std::string("sending: ") + nl_geterror(sent)};
    return state;
  }
  while (!state.done) {
    int received = nl_recvmsgs(socket, cb.get());
    if (received < 0 && !state.done) {
      state.answer = {EIO, std::string("receiving: ") + nl_geterror(received)};
      break;
    }
  }
  return state;
}

}  // namespace

namespace netlink {

Result<void> Answer::result(const std::string& action) const {
  if (ok()) return {};
  auto problem = system_error(action, error);
  if (!explanation.empty()) problem.error().message += " (" + explanation + ")";
  return problem;
}

Answer exchange(nl_sock* socket, Message& message, const OnMessage& on_message) {
  return talk(socket, message, &on_message).answer;
}

Answer dump(nl_sock* socket, Message& message, const OnMessage& on_message,
            const std::function<void()>& restart) {
  constexpr int tries = 10;
  for (int i = 0; i < tries; ++i) {
    Exchange state = talk(socket, message, &on_message);
    if (!state.answer.ok() || !state.interrupted) return state.answer;
    restart();
  }
  return {EAGAIN, "it keeps changing while it is being read"};
}

std::string link_name(nl_sock* socket, int ifindex) {
  Message message(RTM_GETLINK, 0, ifinfomsg{.ifi_family = AF_UNSPEC, .ifi_index = ifindex});
  std::string name;
  exchange(socket, message, [&](nlmsghdr* header) {
    name = Attributes<IFLA_MAX>(header, sizeof(ifinfomsg)).string(IFLA_IFNAME);
  });
  return name.empty() ? "interface " + std::to_string(ifindex) : name;
}

}  // namespace netlink

void Netlink::Close::operator()(nl_sock* socket) const {
  nl_socket_free(socket);
}

Result<Netlink> Netlink::open() {
  std::unique_ptr<nl_sock, Close> socket(nl_socket_alloc());
  if (!socket) return failed("opening a netlink socket: out of memory");
  if (int error = nl_connect(socket.get(), NETLINK_ROUTE); error < 0)
    return failed(std::string("opening a netlink socket: ") + nl_geterror(error));
  nl_socket_enable_msg_peek(socket.get());  // answers of any size
  // Explanations with errors, without our request sent back; and dumps filtered by the kernel.
  for (int option : {NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK}) {
    int on = 1;
    if (setsockopt(nl_socket_get_fd(socket.get()), SOL_NETLINK, option, &on, sizeof(on)) < 0)
      return system_error("setting up a netlink socket");
  }
  return Netlink(std::move(socket));
}

}  // namespace vnet
