// SPDX-License-Identifier: GPL-2.0-or-later
// A reader over libxml2: elements and typed attributes, whose errors name the element and its line.
#pragma once

#include <libxml/tree.h>

#include <cstdint>
#include <expected>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "loader/base/error.h"
#include "loader/model/address.h"

namespace vnet {

// What a document's elements have been asked for, which is what the reader knows.
struct XmlAsked {
  std::set<std::string, std::less<>> attributes, children;
};
struct XmlSource {
  std::string file;
  std::map<const xmlNode*, XmlAsked> asked;
};

// An element of an XmlDocument, which must outlive it.
class XmlNode {
 public:
  XmlNode(xmlNode* node, XmlSource* source) : node_(node), source_(source) {}

  std::string name() const;
  std::string namespace_uri() const;  // "" without one
  int line() const;
  std::string text() const;
  std::string serialized() const;  // the element as XML, namespace declarations included
  // The same with all its elements in the namespace `uri`, by the prefix `key`; uri "": in none.
  std::string serialized_in(const std::string& key, const std::string& uri) const;

  // Child elements without a namespace (or in `uri`), in document order.
  std::vector<XmlNode> children(std::string_view name, std::string_view uri = "") const;
  std::vector<XmlNode> child_elements() const;
  std::optional<XmlNode> child(std::string_view name, std::string_view uri = "") const;
  std::vector<std::string> attribute_names() const;

  // nullopt: the attribute is not there. A control character is an error, because values end up in lines
  // of other programs' configuration.
  Result<std::optional<std::string>> attribute(const char* name) const;
  Result<std::string> required(const char* name) const;
  Result<std::string> string_or_empty(const char* name) const;
  Result<std::optional<std::uint64_t>> number(const char* name, std::uint64_t min, std::uint64_t max) const;
  Result<std::optional<bool>> yes_no(const char* name) const;
  Result<std::optional<Address>> address(const char* name) const;
  Result<std::optional<Mac>> unicast_mac(const char* name) const;

  template <typename T>
  Result<std::optional<T>> choice(const char* name,
                                  std::initializer_list<std::pair<const char*, T>> allowed) const {
    VNET_ASSIGN(const auto value, attribute(name));
    if (!value) return std::nullopt;
    std::string names;
    for (const auto& [text, result] : allowed) {
      if (*value == text) return result;
      names += names.empty() ? text : std::string(", ") + text;
    }
    return wrong_value(name, *value, std::string("unknown ") + name + "; allowed: " + names);
  }

  // "<element>: message"
  std::unexpected<Error> error(const std::string& message) const;
  // "<element attribute='value'>: message"
  std::unexpected<Error> wrong_value(const char* attribute, const std::string& value,
                                     const std::string& message) const;

  // For `update`: the document changes.
  void add_copy(const XmlNode& other, bool first) const;  // among the children, and indented like them
  void replace_with_copy(const XmlNode& other) const;
  void remove() const;

 private:
  std::unexpected<Error> error_at(std::string message) const;

  void list_ignored(std::vector<std::string>& into) const;
  friend class XmlDocument;

  xmlNode* node_;
  XmlSource* source_;
};

class XmlDocument {
 public:
  // Reads no other file, declares no entities, and takes at most one MiB.
  static Result<XmlDocument> parse(std::string_view xml, const std::string& file_name);
  XmlNode root() const;

  // The attributes, and the elements without a namespace, that the reader has not asked for: misspelt, or of
  // a libvirt that is younger than the reader. "FILE:LINE: <element attribute>: ..."
  std::vector<std::string> ignored() const;

 private:
  struct Free {
    void operator()(xmlDoc* doc) const { xmlFreeDoc(doc); }
  };
  XmlDocument(xmlDoc* doc, const std::string& file_name)
      : doc_(doc), source_(std::make_unique<XmlSource>(file_name)) {}

  std::unique_ptr<xmlDoc, Free> doc_;
  std::unique_ptr<XmlSource> source_;  // on the heap: nodes point to it
};

bool has_control_character(std::string_view text);
std::string trimmed(std::string_view text);

}  // namespace vnet
