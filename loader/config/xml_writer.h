// SPDX-License-Identifier: GPL-2.0-or-later
// Indented XML with libvirt's habits: two spaces, single quotes.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vnet {

std::string xml_escaped(std::string_view text);

class XmlWriter {
 public:
  // Attributes whose value is empty are left out.
  using Attributes = std::vector<std::pair<const char*, std::string>>;

  void open(const std::string& name, const Attributes& attributes = {});
  void close(const std::string& name);
  void empty(const std::string& name, const Attributes& attributes);  // <name .../>
  void text(const std::string& name, const std::string& value);       // <name>value</name>
  void raw(const std::string& xml);                                   // XML as it is

  // An element that is written <name/> when `body` writes nothing.
  template <typename Body>
  void element(const std::string& name, const Attributes& attributes, const Body& body) {
    XmlWriter inner;
    inner.depth_ = depth_ + 1;
    body(inner);
    if (inner.out_.empty()) return empty(name, attributes);
    open(name, attributes);
    out_ += inner.out_;
    close(name);
  }

  std::string take() { return std::move(out_); }

 private:
  void tag(const std::string& name, const Attributes& attributes, const char* end);

  std::string out_;
  std::size_t depth_ = 0;
};

}  // namespace vnet
