// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/config/xml_node.h"

#include <fmt/format.h>
#include <libxml/parser.h>
#include <libxml/xmlerror.h>

#include <algorithm>
#include <charconv>

namespace vnet {
namespace {

const char* chars(const xmlChar* text) {
  return text ? reinterpret_cast<const char*>(text) : "";
}
const xmlChar* xml_chars(const char* text) {
  return reinterpret_cast<const xmlChar*>(text);
}

std::string take(xmlChar* text) {
  std::string result = chars(text);
  xmlFree(text);
  return result;
}

constexpr std::size_t max_document = 1 << 20;

struct FreeContext {
  void operator()(xmlParserCtxt* context) const { xmlFreeParserCtxt(context); }
};

struct Refusal {
  int doctype_line = 0;
};

// A DTD can declare entities that expand without bound or name other files; a network never needs one.
// Stopping here means that nothing inside it is read.
void refuse_doctype(void* data, const xmlChar*, const xmlChar*, const xmlChar*) {
  auto* context = static_cast<xmlParserCtxt*>(data);
  static_cast<Refusal*>(context->_private)->doctype_line = xmlSAX2GetLineNumber(context);
  xmlStopParser(context);
}

std::unexpected<Error> invalid_at(std::string message, const std::string& file, long line) {
  return std::unexpected(Error{ErrorKind::Invalid, std::move(message), file, static_cast<int>(line)});
}

std::string libxml_message(const xmlError* error) {
  if (!error || !error->message) return "not a complete XML document";
  std::string message = error->message;
  std::ranges::replace(message, '\n', ' ');
  return "not well-formed XML: " + trimmed(message);
}

// libxml2 writes a namespace's name as it is, without escaping: what is no URI (RFC 3986) may come back as
// another name, or as no XML at all. The parser has bounded the depth.
const xmlNode* find_odd_namespace(const xmlNode* node) {
  for (; node; node = node->next) {
    if (node->type != XML_ELEMENT_NODE) continue;
    for (const xmlNs* ns = node->nsDef; ns; ns = ns->next) {
      const std::string_view uri = chars(ns->href);
      if (has_control_character(uri) || uri.find_first_of(" <>&\"'") != uri.npos) return node;
    }
    if (const xmlNode* found = find_odd_namespace(node->children)) return found;
  }
  return nullptr;
}

// What a person can read of a refused value: short, on one line.
std::string printable(std::string value) {
  for (auto& c : value)
    if (has_control_character({&c, 1})) c = '?';
  if (value.size() > 80) value = value.substr(0, 77) + "...";
  return value;
}

bool is_blank(const xmlNode* node) {
  return node && node->type == XML_TEXT_NODE && xmlIsBlankNode(node);
}

// A copy declares the prefixes that it uses; here they are declared around it.
void drop_repeated_namespaces(xmlNode* node) {
  constexpr int remove_redundant = 1;  // the one option there is, for which no header has a name
  xmlDOMWrapReconcileNamespaces(nullptr, node, remove_redundant);
}

}  // namespace

bool has_control_character(std::string_view text) {
  return std::ranges::any_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

std::string trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return "";
  return std::string(text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1));
}

Result<XmlDocument> XmlDocument::parse(std::string_view xml, const std::string& file_name) {
  if (xml.size() > max_document)
    return invalid_at(fmt::format("larger than {} bytes", max_document), file_name, 1);
  if (const auto nul = xml.find('\0'); nul != std::string_view::npos)
    return invalid_at("a NUL byte in the text; the file must be UTF-8", file_name,
                      1 + std::ranges::count(xml.substr(0, nul), '\n'));

  const std::unique_ptr<xmlParserCtxt, FreeContext> context(xmlNewParserCtxt());
  if (!context) return failed("out of memory for the XML parser");
  Refusal refusal;
  context->_private = &refusal;
  context->sax->internalSubset = refuse_doctype;
  constexpr int options = XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_BIG_LINES;
  XmlDocument document(
      xmlCtxtReadMemory(context.get(), xml.data(), static_cast<int>(xml.size()), nullptr, nullptr, options),
      file_name);

  if (refusal.doctype_line)
    return invalid_at("<!DOCTYPE>: a document type declaration is not allowed", file_name,
                      refusal.doctype_line);
  if (!document.doc_ || !xmlDocGetRootElement(document.doc_.get())) {
    const auto* error = xmlCtxtGetLastError(context.get());
    return invalid_at(libxml_message(error), file_name, error && error->line > 0 ? error->line : 1);
  }
  if (const auto* node = find_odd_namespace(xmlDocGetRootElement(document.doc_.get())))
    return invalid_at(fmt::format("<{}>: the name of a namespace is no URI", chars(node->name)), file_name,
                      xmlGetLineNo(node));
  return document;
}

XmlNode XmlDocument::root() const {
  return {xmlDocGetRootElement(doc_.get()), source_.get()};
}

std::vector<std::string> XmlDocument::ignored() const {
  std::vector<std::string> result;
  root().list_ignored(result);
  return result;
}

void XmlNode::list_ignored(std::vector<std::string>& into) const {
  const XmlAsked& asked = source_->asked[node_];
  for (auto* attribute = node_->properties; attribute; attribute = attribute->next)
    if (!attribute->ns && !asked.attributes.contains(chars(attribute->name)))
      into.push_back(fmt::format("{}:{}: <{} {}=...>: unknown attribute, ignored", source_->file, line(),
                                 name(), chars(attribute->name)));
  for (const auto& child : child_elements()) {
    if (!child.namespace_uri().empty()) continue;
    if (asked.children.contains(child.name()))
      child.list_ignored(into);
    else
      into.push_back(fmt::format("{}:{}: <{}> in <{}>: unknown element, ignored", source_->file, child.line(),
                                 child.name(), name()));
  }
}

std::string XmlNode::name() const {
  return chars(node_->name);
}
std::string XmlNode::namespace_uri() const {
  return node_->ns ? chars(node_->ns->href) : "";
}
int XmlNode::line() const {
  return static_cast<int>(xmlGetLineNo(node_));
}
std::string XmlNode::text() const {
  return take(xmlNodeGetContent(node_));
}

namespace {

std::string dumped(xmlNode* node) {
  xmlBuffer* buffer = xmlBufferCreate();
  xmlNodeDump(buffer, node->doc, node, 0, 0);
  std::string result = chars(xmlBufferContent(buffer));
  xmlBufferFree(buffer);
  return result;
}

void move_elements(xmlNode* node, xmlNs* to) {
  node->ns = to;
  for (xmlNode* child = node->children; child; child = child->next)
    if (child->type == XML_ELEMENT_NODE) move_elements(child, to);
}

}  // namespace

std::string XmlNode::serialized_in(const std::string& key, const std::string& uri) const {
  xmlNode* copy = xmlDocCopyNode(node_, node_->doc, 1);
  auto text = [](const std::string& of) { return reinterpret_cast<const xmlChar*>(of.c_str()); };
  xmlNs* declared = copy->nsDef;
  copy->nsDef = nullptr;
  move_elements(copy, uri.empty() ? nullptr : xmlNewNs(copy, text(uri), key.empty() ? nullptr : text(key)));
  std::string result = dumped(copy);
  xmlFreeNsList(declared);
  xmlFreeNode(copy);
  return result;
}

std::string XmlNode::serialized() const {
  // The copy carries the namespace declarations that the original inherits from its ancestors.
  xmlNode* copy = xmlDocCopyNode(node_, node_->doc, 1);
  std::string result = dumped(copy);
  xmlFreeNode(copy);
  return result;
}

std::vector<XmlNode> XmlNode::child_elements() const {
  std::vector<XmlNode> result;
  for (auto* child = node_->children; child; child = child->next)
    if (child->type == XML_ELEMENT_NODE) result.emplace_back(child, source_);
  return result;
}

std::vector<XmlNode> XmlNode::children(std::string_view name, std::string_view uri) const {
  if (uri.empty()) source_->asked[node_].children.emplace(name);
  auto result = child_elements();
  std::erase_if(result,
                [&](const XmlNode& node) { return node.name() != name || node.namespace_uri() != uri; });
  return result;
}

std::optional<XmlNode> XmlNode::child(std::string_view name, std::string_view uri) const {
  const auto found = children(name, uri);
  if (found.empty()) return std::nullopt;
  return found.front();
}

std::vector<std::string> XmlNode::attribute_names() const {
  std::vector<std::string> result;
  for (auto* attribute = node_->properties; attribute; attribute = attribute->next)
    result.emplace_back(chars(attribute->name));
  return result;
}

Result<std::optional<std::string>> XmlNode::attribute(const char* name) const {
  source_->asked[node_].attributes.emplace(name);
  auto* text = xmlGetNoNsProp(node_, xml_chars(name));
  if (!text) return std::nullopt;
  auto value = take(text);
  if (has_control_character(value))
    return wrong_value(name, value, "no newline or other control character is allowed here");
  return value;
}

Result<std::string> XmlNode::required(const char* name) const {
  VNET_ASSIGN(auto value, attribute(name));
  if (!value || value->empty()) return error(fmt::format("the attribute {} is missing", name));
  return std::move(*value);
}

Result<std::string> XmlNode::string_or_empty(const char* name) const {
  VNET_ASSIGN(auto value, attribute(name));
  return std::move(value).value_or("");
}

Result<std::optional<std::uint64_t>> XmlNode::number(const char* name, std::uint64_t min,
                                                     std::uint64_t max) const {
  VNET_ASSIGN(const auto value, attribute(name));
  if (!value) return std::nullopt;
  std::uint64_t result = 0;
  const char* last = value->data() + value->size();
  const auto [end, code] = std::from_chars(value->data(), last, result);
  if (code != std::errc() || end != last || result < min || result > max)
    return wrong_value(name, *value, fmt::format("must be a number from {} to {}", min, max));
  return result;
}

Result<std::optional<bool>> XmlNode::yes_no(const char* name) const {
  return choice<bool>(name, {{"yes", true}, {"no", false}});
}

Result<std::optional<Address>> XmlNode::address(const char* name) const {
  VNET_ASSIGN(const auto value, attribute(name));
  if (!value) return std::nullopt;
  const auto result = Address::parse(*value);
  if (!result) return wrong_value(name, *value, "not an IPv4 or IPv6 address");
  return result;
}

Result<std::optional<Mac>> XmlNode::unicast_mac(const char* name) const {
  VNET_ASSIGN(const auto value, attribute(name));
  if (!value) return std::nullopt;
  const auto result = Mac::parse(*value);
  if (!result) return wrong_value(name, *value, "not a MAC address; write it as 52:54:00:12:34:56");
  if (result->is_multicast()) return wrong_value(name, *value, "a multicast MAC address; it must be unicast");
  return result;
}

void XmlNode::add_copy(const XmlNode& other, bool first) const {
  xmlNode* copy = xmlDocCopyNode(other.node_, node_->doc, 1);
  xmlNode* indent = is_blank(node_->children) ? xmlCopyNode(node_->children, 1) : nullptr;
  xmlNode* before = first ? node_->children : is_blank(node_->last) ? node_->last : nullptr;
  for (xmlNode* one : {indent, copy}) {
    if (!one) continue;
    if (before)
      xmlAddPrevSibling(before, one);
    else
      xmlAddChild(node_, one);
  }
  drop_repeated_namespaces(copy);
}

void XmlNode::replace_with_copy(const XmlNode& other) const {
  xmlNode* copy = xmlDocCopyNode(other.node_, node_->doc, 1);
  xmlAddNextSibling(node_, copy);
  drop_repeated_namespaces(copy);
  xmlUnlinkNode(node_);
  xmlFreeNode(node_);
}

void XmlNode::remove() const {
  if (xmlNode* indent = node_->prev; is_blank(indent)) {
    xmlUnlinkNode(indent);
    xmlFreeNode(indent);
  }
  xmlUnlinkNode(node_);
  xmlFreeNode(node_);
}

std::unexpected<Error> XmlNode::error_at(std::string message) const {
  return invalid_at(std::move(message), source_->file, line());
}
std::unexpected<Error> XmlNode::error(const std::string& message) const {
  return error_at(fmt::format("<{}>: {}", name(), message));
}
std::unexpected<Error> XmlNode::wrong_value(const char* attribute, const std::string& value,
                                            const std::string& message) const {
  return error_at(fmt::format("<{} {}='{}'>: {}", name(), attribute, printable(value), message));
}

}  // namespace vnet
