// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/config/xml_node.h"

#include <fmt/format.h>
#include <libxml/parser.h>
#include <libxml/xmlerror.h>

#include <algorithm>
#include <charconv>

namespace vnet {
namespace {

constexpr std::size_t max_bytes = 1 << 20;

struct FreeString {
  void operator()(xmlChar* text) const { xmlFree(text); }
};
using XmlString = std::unique_ptr<xmlChar, FreeString>;

std::string to_string(const xmlChar* text) { return text ? reinterpret_cast<const char*>(text) : ""; }

std::unexpected<Error> error_at(const std::string& file, int line, std::string message) {
  return std::unexpected(Error{ErrorKind::Invalid, std::move(message), file, line});
}

bool has_control(std::string_view text, bool allow_white_space) {
  return std::ranges::any_of(text, [&](unsigned char c) {
    if (allow_white_space && (c == '\n' || c == '\t' || c == '\r')) return false;
    return c < 0x20 || c == 0x7f;
  });
}

std::string trimmed(std::string text) {
  auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

}  // namespace

std::string xml_escape(std::string_view text) {
  std::string out;
  for (char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '\'':
        out += "&apos;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string XmlNode::name() const { return to_string(node_->name); }
std::string XmlNode::ns() const { return node_->ns ? to_string(node_->ns->href) : ""; }
int XmlNode::line() const { return static_cast<int>(xmlGetLineNo(node_)); }

std::vector<XmlNode> XmlNode::children() const {
  std::vector<XmlNode> all;
  for (xmlNode* child = node_->children; child; child = child->next)
    if (child->type == XML_ELEMENT_NODE && !child->ns) all.emplace_back(child, file_);
  return all;
}

std::vector<XmlNode> XmlNode::children(const char* name) const {
  std::vector<XmlNode> all = children();
  std::erase_if(all, [&](const XmlNode& child) { return child.name() != name; });
  return all;
}

std::vector<XmlNode> XmlNode::children_of_namespace(const char* uri) const {
  std::vector<XmlNode> all;
  for (xmlNode* child = node_->children; child; child = child->next)
    if (child->type == XML_ELEMENT_NODE && child->ns && to_string(child->ns->href) == uri) all.emplace_back(child, file_);
  return all;
}

Result<std::optional<XmlNode>> XmlNode::child(const char* name) const {
  auto all = children(name);
  if (all.empty()) return std::nullopt;
  if (all.size() > 1) return all[1].error(fmt::format("only one <{}> is allowed in <{}>", name, this->name()));
  return all.front();
}

Result<std::string> XmlNode::text() const {
  XmlString content(xmlNodeGetContent(node_));
  std::string text = to_string(content.get());
  if (has_control(text, true)) return error(fmt::format("<{}> must not contain control characters", name()));
  return trimmed(text);
}

std::string XmlNode::verbatim() const {
  std::unique_ptr<xmlBuffer, void (*)(xmlBuffer*)> buffer(xmlBufferCreate(), xmlBufferFree);
  // A copy brings the namespace declarations of its ancestors along.
  xmlNode* copy = xmlDocCopyNode(node_, node_->doc, 1);
  xmlNodeDump(buffer.get(), node_->doc, copy, 0, 0);
  xmlFreeNode(copy);
  return to_string(xmlBufferContent(buffer.get()));
}

std::string XmlNode::describe(const char* attribute, const std::string& value) const {
  return fmt::format("<{} {}='{}'>", name(), attribute, value);
}

std::unexpected<Error> XmlNode::error(const std::string& message) const { return error_at(*file_, line(), message); }

Result<std::optional<std::string>> XmlNode::attribute(const char* name) const {
  XmlString value(xmlGetNoNsProp(node_, reinterpret_cast<const xmlChar*>(name)));
  if (!value) return std::nullopt;
  std::string text = to_string(value.get());
  if (has_control(text, false))
    return error(fmt::format("<{} {}=...> must not contain control characters or line ends", this->name(), name));
  return text;
}

Result<std::string> XmlNode::required(const char* name) const {
  VNET_ASSIGN(auto value, attribute(name));
  if (!value || value->empty()) return error(fmt::format("<{}> needs the attribute '{}'", this->name(), name));
  return *value;
}

Result<std::optional<std::size_t>> XmlNode::one_of(const char* name, std::initializer_list<const char*> allowed) const {
  VNET_ASSIGN(auto value, attribute(name));
  if (!value) return std::nullopt;
  auto found = std::ranges::find(allowed, *value);
  if (found == allowed.end())
    return error(fmt::format("{}: unknown {}; allowed: {}", describe(name, *value), name, fmt::join(allowed, ", ")));
  return static_cast<std::size_t>(found - allowed.begin());
}

Result<std::optional<bool>> XmlNode::yes_no(const char* name) const {
  VNET_ASSIGN(auto index, one_of(name, {"no", "yes"}));
  if (!index) return std::nullopt;
  return *index == 1;
}

Result<std::optional<std::uint64_t>> XmlNode::number(const char* name, std::uint64_t min, std::uint64_t max) const {
  VNET_ASSIGN(auto value, attribute(name));
  if (!value) return std::nullopt;
  std::uint64_t number = 0;
  auto [end, failure] = std::from_chars(value->data(), value->data() + value->size(), number);
  if (value->empty() || failure != std::errc() || end != value->data() + value->size() || number < min || number > max)
    return error(fmt::format("{}: not a number from {} to {}", describe(name, *value), min, max));
  return number;
}

Result<std::optional<Address>> XmlNode::address(const char* name) const {
  VNET_ASSIGN(auto value, attribute(name));
  if (!value) return std::nullopt;
  auto parsed = Address::parse(*value);
  if (!parsed) return error(fmt::format("{}: not an IPv4 or IPv6 address", describe(name, *value)));
  return *parsed;
}

Result<std::optional<Mac>> XmlNode::mac(const char* name) const {
  VNET_ASSIGN(auto value, attribute(name));
  if (!value) return std::nullopt;
  auto parsed = Mac::parse(*value);
  if (!parsed) return error(fmt::format("{}: not a MAC address (aa:bb:cc:dd:ee:ff)", describe(name, *value)));
  if (parsed->is_multicast()) return error(fmt::format("{}: expected unicast mac address, found multicast", describe(name, *value)));
  return *parsed;
}

Result<XmlDocument> XmlDocument::parse(std::string_view text, const std::string& file) {
  if (text.size() > max_bytes) return error_at(file, 1, "more than 1 MiB is not a network definition");
  if (auto nul = text.find('\0'); nul != std::string_view::npos)
    return error_at(file, 1 + static_cast<int>(std::ranges::count(text.substr(0, nul), '\n')), "a NUL byte is not XML");
  std::unique_ptr<xmlParserCtxt, void (*)(xmlParserCtxt*)> parser(xmlNewParserCtxt(), xmlFreeParserCtxt);
  if (!parser) return failed("out of memory");
  XmlDocument document;
  document.file_ = std::make_unique<std::string>(file);
  document.document_.reset(xmlCtxtReadMemory(parser.get(), text.data(), static_cast<int>(text.size()), nullptr, nullptr,
                                             XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING |
                                                 XML_PARSE_BIG_LINES | XML_PARSE_COMPACT));
  if (!document.document_ || !xmlDocGetRootElement(document.document_.get())) {
    const xmlError* why = xmlCtxtGetLastError(parser.get());
    return error_at(file, why && why->line > 0 ? why->line : 1,
                    "not well-formed XML: " + trimmed(why && why->message ? why->message : "empty"));
  }
  // Entities are declared there, and none are needed.
  if (document.document_->intSubset) return error_at(file, 1, "a document type declaration is not allowed");
  return document;
}

XmlNode XmlDocument::root() const { return {xmlDocGetRootElement(document_.get()), file_.get()}; }

}  // namespace vnet
