// SPDX-License-Identifier: GPL-2.0-or-later
// vnet-bpf's own settings, in the definition's <metadata>: other programs' parts of it, and comments, stay.
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <iterator>

#include "loader/config/update_parts.h"
#include "loader/config/xml_parts.h"

namespace vnet {
namespace {

// The attributes that tell elements of this name from each other; none: there is one only.
std::vector<const char*> keys_of(const std::string& name) {
  auto elements = setting_elements();
  const auto found = std::ranges::find(elements, name, &SettingElement::name);
  std::vector<const char*> keys;
  if (found != elements.end()) std::ranges::copy_if(found->keys, std::back_inserter(keys), std::identity());
  return keys;
}

Result<bool> has_same(const XmlNode& a, const XmlNode& b, const char* name, bool may_be_missing) {
  VNET_ASSIGN(auto wanted, a.attribute(name));
  VNET_ASSIGN(auto there, b.attribute(name));
  return (may_be_missing && !wanted) || wanted == there;
}

// An IPv4 and an IPv6 forward of a port are two.
Result<bool> has_same_family(const XmlNode& a, const XmlNode& b) {
  VNET_ASSIGN(auto to, a.address("to"));
  VNET_ASSIGN(auto other, b.address("to"));
  return !to || !other || to->family == other->family;
}

// To be deleted: whatever is named must be the same.
Result<bool> matches(const XmlNode& wanted, const XmlNode& node, bool deletes) {
  if (deletes) {
    for (const auto& name : wanted.attribute_names()) {
      VNET_ASSIGN(bool same, has_same(wanted, node, name.c_str(), true));
      if (!same) return false;
    }
  }
  const auto keys = keys_of(wanted.name());
  if (keys.empty()) return true;
  for (const char* name : keys) {
    VNET_ASSIGN(bool same, has_same(wanted, node, name, deletes));
    if (!same) return false;
  }
  return has_same_family(wanted, node);
}

constexpr const char* empty_metadata = R"(<metadata>
    <vnet:network xmlns:vnet="{0}">
    </vnet:network>
  </metadata>)";
constexpr const char* empty_settings = R"(<element>
    <vnet:network xmlns:vnet="{0}">
    </vnet:network>
</element>)";

std::string tag(const XmlNode& element) {
  std::string text = "<vnet:" + element.name();
  for (const char* name : keys_of(element.name()))
    if (auto value = element.attribute(name); value && *value) text += fmt::format(" {}='{}'", name, **value);
  return text + "/>";
}

}  // namespace

Result<void> update_setting(Network& network, const SectionCall& call) {
  const XmlNode& wanted = call.element;
  if (wanted.namespace_uri() != settings_namespace)
    return invalid(fmt::format("<{0}> is not in the namespace {1}; write it <vnet:{0}>", wanted.name(),
                               settings_namespace));
  VNET_ASSIGN(auto document,
              XmlDocument::parse(network.metadata_xml.empty()
                                     ? fmt::format(fmt::runtime(empty_metadata), settings_namespace)
                                     : network.metadata_xml,
                                 "the metadata of " + network.name));
  XmlNode metadata = document.root();
  VNET_ASSIGN(auto fresh,
              XmlDocument::parse(fmt::format(fmt::runtime(empty_settings), settings_namespace), ""));
  if (!metadata.child("network", settings_namespace))
    metadata.add_copy(*fresh.root().child("network", settings_namespace), false);
  XmlNode settings = *metadata.child("network", settings_namespace);

  std::vector<XmlNode> found;
  for (const auto& node : settings.children(wanted.name(), settings_namespace)) {
    VNET_ASSIGN(bool same, matches(wanted, node, call.command == UpdateCommand::Delete));
    if (same) found.push_back(node);
  }
  if (call.adds() && !found.empty())
    return failed(fmt::format("there is an existing {} entry in network '{}' that matches \"{}\"",
                              wanted.name(), network.name, tag(wanted)));
  if (!call.adds() && found.empty())
    return failed(fmt::format("couldn't locate a matching {} entry in network '{}': {}", wanted.name(),
                              network.name, tag(wanted)));
  if (found.size() > 1)
    return failed(
        fmt::format("multiple matching {} entries were found in network '{}'; name more of its attributes",
                    wanted.name(), network.name));
  if (call.adds())
    settings.add_copy(wanted, call.command == UpdateCommand::AddFirst);
  else if (call.command == UpdateCommand::Modify)
    found.front().replace_with_copy(wanted);
  else
    found.front().remove();
  network.metadata_xml = metadata.serialized();
  return {};
}

}  // namespace vnet
