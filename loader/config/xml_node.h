// SPDX-License-Identifier: GPL-2.0-or-later
// Reading libxml2's tree in typed steps. Every error names file, line, element and what is allowed.
#pragma once

#include <libxml/tree.h>

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "loader/error.h"
#include "loader/model/address.h"
#include "loader/model/network.h"

namespace vnet {

class XmlNode {
 public:
  XmlNode(xmlNode* node, const std::string* file) : node_(node), file_(file) {}

  std::string name() const;
  std::string ns() const;  // namespace URI; empty: none
  int line() const;
  // Children that are elements; those of a foreign namespace are left out unless asked for.
  std::vector<XmlNode> children() const;
  std::vector<XmlNode> children(const char* name) const;
  std::vector<XmlNode> children_of_namespace(const char* uri) const;
  // At most one, else an error.
  Result<std::optional<XmlNode>> child(const char* name) const;
  Result<std::string> text() const;  // its content; control characters other than white space are refused
  std::string verbatim() const;      // the element as XML

  // An attribute; nullopt when absent. Control characters are refused: the values end up in other
  // programs' line-based configuration.
  Result<std::optional<std::string>> attribute(const char* name) const;
  Result<std::string> required(const char* name) const;
  Result<std::optional<bool>> yes_no(const char* name) const;
  Result<std::optional<std::uint64_t>> number(const char* name, std::uint64_t min, std::uint64_t max) const;
  Result<std::optional<Address>> address(const char* name) const;
  Result<std::optional<Mac>> mac(const char* name) const;
  // Index into the allowed words.
  Result<std::optional<std::size_t>> one_of(const char* name, std::initializer_list<const char*> allowed) const;

  std::unexpected<Error> error(const std::string& message) const;

 private:
  std::string describe(const char* attribute, const std::string& value) const;  // <ip prefix='x'>

  xmlNode* node_;
  const std::string* file_;
};

// A parsed document; nodes are valid as long as it lives. No network, no DTD, no entities, 1 MiB at the most.
class XmlDocument {
 public:
  static Result<XmlDocument> parse(std::string_view text, const std::string& file);
  XmlNode root() const;

 private:
  struct Free {
    void operator()(xmlDoc* document) const { xmlFreeDoc(document); }
  };
  std::unique_ptr<xmlDoc, Free> document_;
  std::unique_ptr<std::string> file_;
};

std::string xml_escape(std::string_view text);

}  // namespace vnet
