// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/takeover/drivers.h"

#include <fmt/format.h>
#include <glob.h>

#include <algorithm>
#include <map>
#include <vector>

#include "loader/base/files.h"
#include "loader/model/libvirt_host.h"

namespace vnet::takeover {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> matches(const std::string& pattern) {
  glob_t found{};
  std::vector<fs::path> all;
  if (::glob(pattern.c_str(), 0, nullptr, &found) == 0)
    all.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  ::globfree(&found);
  return all;
}

std::string drop_in_text() {
  return fmt::format(
      "# Written by vnet-bpf libvirt enable, and removed by vnet-bpf libvirt disable.\n"
      "[Unit]\n"
      "Wants=vnet-bpf-network.socket\n"
      "After=vnet-bpf-network.socket\n"
      "\n"
      "[Service]\n"
      "Environment=LIBVIRT_DRIVER_DIR={}\n",
      libvirt::driver_folder);
}

// What the folder has to hold: names, and where they lead.
Result<std::map<std::string, fs::path>> wanted_links() {
  std::map<std::string, fs::path> links;
  for (const char* pattern :
       {"/usr/lib/*/libvirt/connection-driver/*.so", "/usr/lib64/libvirt/connection-driver/*.so",
        "/usr/lib/libvirt/connection-driver/*.so"}) {
    for (const auto& file : matches(pattern)) links[file.filename()] = file;
    if (!links.empty()) break;
  }
  if (links.empty())
    return failed(
        "libvirt's drivers are not where they are looked for: /usr/lib/*/libvirt/connection-driver");
  auto driver = find_driver();
  if (driver.empty()) return failed("vnet-bpf's network driver for libvirtd is not installed");
  links[libvirt::driver_file] = driver;
  return links;
}

Result<void> link_to(const fs::path& target, const fs::path& link) {
  std::error_code error;
  if (fs::read_symlink(link, error) == target) return {};
  // In one step, whatever was there.
  const fs::path fresh = link.string() + ".new";
  fs::remove(fresh, error);
  fs::create_symlink(target, fresh, error);
  if (!error) fs::rename(fresh, link, error);
  return error ? failed("writing " + link.string() + ": " + error.message()) : Result<void>{};
}

}  // namespace

fs::path find_driver() {
  std::error_code error;
  fs::path prefix = fs::read_symlink("/proc/self/exe", error).parent_path().parent_path();
  for (const auto& root : {prefix, fs::path("/usr/local"), fs::path("/usr")})
    for (const char* folder : {"lib/*", "lib64", "lib"})
      for (const auto& file : matches((root / folder / "vnet-bpf/libvirt" / libvirt::driver_file).string()))
        return file;
  return {};
}

bool has_driver_files() {
  std::error_code error;
  return fs::exists(libvirt::drop_in, error) || fs::exists(libvirt::driver_folder, error);
}

bool driver_files_are_whole() {
  auto text = read_file(libvirt::drop_in);
  auto links = wanted_links();
  if (!text || !*text || **text != drop_in_text() || !links) return false;
  std::error_code error;
  return std::ranges::all_of(*links, [&](const auto& link) {
    return fs::read_symlink(fs::path(libvirt::driver_folder) / link.first, error) == link.second;
  });
}

Result<void> write_driver_files() {
  VNET_ASSIGN(auto links, wanted_links());
  VNET_TRY(make_folder(libvirt::driver_folder));
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(libvirt::driver_folder, error))
    if (!links.contains(entry.path().filename())) fs::remove(entry.path(), error);
  for (const auto& [name, target] : links) VNET_TRY(link_to(target, fs::path(libvirt::driver_folder) / name));
  VNET_TRY(make_folder(fs::path(libvirt::drop_in).parent_path()));
  return write_file(libvirt::drop_in, drop_in_text());
}

Result<void> remove_driver_files(bool keep_folder) {
  VNET_TRY(remove_file(libvirt::drop_in));
  std::error_code error;
  if (!keep_folder)
    fs::remove(fs::path(libvirt::drop_in).parent_path(), error);  // where others have theirs, it stays
  fs::remove_all(libvirt::driver_folder, error);
  return error ? failed(std::string("removing ") + libvirt::driver_folder + ": " + error.message())
               : Result<void>{};
}

}  // namespace vnet::takeover
