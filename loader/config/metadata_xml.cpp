// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/config/metadata_xml.h"

#include "loader/config/network_xml.h"
#include "loader/config/xml_node.h"

namespace vnet {
namespace {

// A document of its own: it is changed in ways that no other reader needs.
Result<XmlDocument> parse_metadata(const Network& network) {
  return XmlDocument::parse(network.metadata_xml.empty() ? "<metadata/>" : network.metadata_xml, "");
}

std::optional<XmlNode> element_of(const XmlDocument& document, const std::string& uri) {
  for (const auto& element : document.root().child_elements())
    if (element.namespace_uri() == uri) return element;
  return std::nullopt;
}

// As virsh gives it, the element has no namespace yet.
Result<std::string> in_namespace(const std::string& xml, const std::string& key, const std::string& uri) {
  VNET_ASSIGN(const auto document, XmlDocument::parse(xml, ""));
  return document.root().serialized_in(key, uri);
}

}  // namespace

Result<std::optional<std::string>> metadata_of(const Network& network, MetadataKind kind,
                                               const std::string& uri) {
  auto unless_empty = [](const std::string& text) {
    return text.empty() ? std::nullopt : std::optional(text);
  };
  if (kind == MetadataKind::Description) return unless_empty(network.description);
  if (kind == MetadataKind::Title) return unless_empty(network.title);
  VNET_ASSIGN(const auto document, parse_metadata(network));
  const auto element = element_of(document, uri);
  return element ? std::optional(element->serialized_in("", "")) : std::nullopt;
}

Result<Network> with_metadata(const Network& network, MetadataKind kind,
                              const std::optional<std::string>& value, const std::string& key,
                              const std::string& uri) {
  Network changed = network;
  if (kind == MetadataKind::Description) {
    changed.description = value.value_or("");
  } else if (kind == MetadataKind::Title) {
    changed.title = value.value_or("");
  } else {
    VNET_ASSIGN(const auto document, parse_metadata(network));
    if (const auto before = element_of(document, uri)) before->remove();
    if (value) {
      VNET_ASSIGN(const auto text, in_namespace(*value, key, uri));
      VNET_ASSIGN(const auto element, XmlDocument::parse(text, ""));
      document.root().add_copy(element.root(), false);
    }
    changed.metadata_xml = document.root().child_elements().empty() ? "" : document.root().serialized();
  }
  // What the elements of our own namespace say has to be right.
  return parse_network(format_network(changed), "the new definition of " + network.name);
}

}  // namespace vnet
