// SPDX-License-Identifier: GPL-2.0-or-later
// One page over HTTP, for a scraper. One thread serves all connections, and waits for none of them: who asks
// too slowly, or for nothing, is cut off.
#pragma once

#include <functional>
#include <string>

#include "loader/base/error.h"
#include "loader/base/fd.h"

namespace vnet::cli {

class HttpServer {
 public:
  // ADDR:PORT or [ADDR]:PORT, which has been checked.
  static Result<HttpServer> listen(const std::string& address);

  // Until `end` can be read: GET /metrics is answered with what `page` makes, anew each time.
  Result<void> serve(const std::function<std::string()>& page, int end) const;

 private:
  explicit HttpServer(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace vnet::cli
