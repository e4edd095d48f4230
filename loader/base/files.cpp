// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/base/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "loader/base/fd.h"

namespace vnet {

namespace fs = std::filesystem;

namespace {

// What a user names may begin with anything, also with a dot; our files' names end as we want.
const std::string unfinished_suffix = ".unfinished";

// Removes the temporary file unless it has become the real one.
class Temporary {
 public:
  explicit Temporary(std::string path) : path_(std::move(path)) {}
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  ~Temporary() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  void keep() { path_.clear(); }

 private:
  std::string path_;
};

bool write_all(int fd, std::string_view content) {
  while (!content.empty()) {
    ssize_t written = ::write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace

Result<void> write_file(const fs::path& path, std::string_view content, mode_t mode) {
  const std::string action = "writing " + path.string();
  const fs::path folder = path.has_parent_path() ? path.parent_path() : ".";
  std::string name = (folder / "XXXXXX").string() + unfinished_suffix;
  Fd fd(::mkostemps(name.data(), static_cast<int>(unfinished_suffix.size()), O_CLOEXEC));
  if (!fd) return system_error(action);
  Temporary temporary(name);
  if (!write_all(fd.get(), content) || ::fchmod(fd.get(), mode) < 0 || ::fsync(fd.get()) < 0)
    return system_error(action);
  if (::rename(name.c_str(), path.c_str()) < 0) return system_error(action);
  temporary.keep();
  Fd directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory || ::fsync(directory.get()) < 0) return system_error(action);
  return {};
}

Result<std::optional<std::string>> read_file(const fs::path& path) {
  const std::string action = "reading " + path.string();
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd && (errno == ENOENT || errno == ENOTDIR)) return std::nullopt;
  if (!fd) return system_error(action);
  std::string content;
  char buffer[16384];
  while (true) {
    ssize_t got = ::read(fd.get(), buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_error(action);
    if (got == 0) return content;
    content.append(buffer, static_cast<std::size_t>(got));
  }
}

Result<void> remove_file(const fs::path& path) {
  if (::unlink(path.c_str()) < 0 && errno != ENOENT && errno != ENOTDIR)
    return system_error("removing " + path.string());
  return {};
}

Result<std::vector<std::string>> list_files(const fs::path& folder, std::string_view suffix) {
  std::vector<std::string> names;
  std::error_code error;
  fs::directory_iterator entries(folder, error);
  if (error == std::errc::no_such_file_or_directory) return names;
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    std::string name = entries->path().filename().string();
    std::error_code gone;  // between listing and looking: not there
    if (name.ends_with(suffix) && !name.ends_with(unfinished_suffix) && entries->is_regular_file(gone))
      names.push_back(std::move(name));
  }
  if (error) return system_error("listing " + folder.string(), error.value());
  std::ranges::sort(names);
  return names;
}

void remove_unfinished_files(const fs::path& folder) {
  std::error_code ignored;
  std::vector<fs::path> unfinished;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    std::error_code gone;
    if (entry.path().filename().string().ends_with(unfinished_suffix) && entry.is_regular_file(gone))
      unfinished.push_back(entry.path());
  }
  for (const auto& path : unfinished) fs::remove(path, ignored);
}

Result<void> make_folder(const fs::path& path, mode_t mode) {
  struct stat info;
  if (::stat(path.c_str(), &info) == 0) {
    if (S_ISDIR(info.st_mode)) return {};
    return failed("creating " + path.string() + ": there is a file of that name");
  }
  if (path.has_parent_path() && path.parent_path() != path) VNET_TRY(make_folder(path.parent_path(), 0755));
  if (::mkdir(path.c_str(), mode) < 0) {
    if (errno == EEXIST) return {};  // another process was quicker
    return system_error("creating " + path.string());
  }
  if (::chmod(path.c_str(), mode) < 0) return system_error("creating " + path.string());
  return {};
}

}  // namespace vnet
