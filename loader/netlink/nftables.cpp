// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/netlink/nftables.h"

#include <nftables/libnftables.h>

#include <memory>

namespace vnet {

Result<std::string> run_nft(const std::string& commands, bool json) {
  std::unique_ptr<nft_ctx, decltype(&nft_ctx_free)> nft(nft_ctx_new(NFT_CTX_DEFAULT), nft_ctx_free);
  if (!nft) return failed("out of memory");
  nft_ctx_output_set_flags(nft.get(), json ? NFT_CTX_OUTPUT_JSON : NFT_CTX_OUTPUT_HANDLE);
  nft_ctx_buffer_output(nft.get());
  nft_ctx_buffer_error(nft.get());
  if (nft_run_cmd_from_buffer(nft.get(), commands.c_str())) {
    std::string why = nft_ctx_get_error_buffer(nft.get());
    why = why.substr(0, why.find('\n'));
    return failed(why.empty() ? "nftables refuses" : why);
  }
  return nft_ctx_get_output_buffer(nft.get());
}

}  // namespace vnet
