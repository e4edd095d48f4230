// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/config/xml_writer.h"

namespace vnet {

std::string xml_escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '\'':
        result += "&apos;";
        break;
      case '"':
        result += "&quot;";
        break;
      case '\r':
        result += "&#13;";
        break;  // a bare one would be read back as a newline
      default:
        result += c;
    }
  }
  return result;
}

void XmlWriter::tag(const std::string& name, const Attributes& attributes, const char* end) {
  out_ += std::string(2 * depth_, ' ') + "<" + name;
  for (const auto& [key, value] : attributes)
    if (!value.empty()) out_ += std::string(" ") + key + "='" + xml_escaped(value) + "'";
  out_ += end;
}

void XmlWriter::open(const std::string& name, const Attributes& attributes) {
  tag(name, attributes, ">\n");
  ++depth_;
}

void XmlWriter::close(const std::string& name) {
  --depth_;
  out_ += std::string(2 * depth_, ' ') + "</" + name + ">\n";
}

void XmlWriter::empty(const std::string& name, const Attributes& attributes) {
  tag(name, attributes, "/>\n");
}

void XmlWriter::text(const std::string& name, const std::string& value) {
  tag(name, {}, ">");
  out_ += xml_escaped(value) + "</" + name + ">\n";
}

void XmlWriter::raw(const std::string& xml) {
  out_ += std::string(2 * depth_, ' ') + xml + "\n";
}

}  // namespace vnet
