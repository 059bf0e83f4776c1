// SPDX-License-Identifier: Apache-2.0
#include "os/durable_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "os/fd.h"

namespace retour {
namespace {

std::string directory_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

bool write_all(int fd, std::string_view content) {
  while (!content.empty()) {
    const ssize_t written = write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace

Result<void> sync_directory(const std::string& path) {
  const Fd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // Some file systems cannot sync a directory and say EINVAL; there is nothing more to do there.
  if (!fd.valid() || (fsync(fd.get()) != 0 && errno != EINVAL)) {
    return fail(file_error(fmt::format("sync directory {}", path), errno));
  }
  return {};
}

Error file_error(std::string doing, int errnum) {
  Error error{ErrorKind::system, errnum, std::move(doing), std::strerror(errnum)};
  if (errnum == EACCES || errnum == EPERM) {
    error.kind = ErrorKind::permission;
    error.hint = "run retour as root";
  } else if (errnum == EROFS) {
    error.kind = ErrorKind::permission;
    error.hint = "the file system is read-only: make it writable";
  } else if (errnum == ENOSPC || errnum == EDQUOT) {
    error.hint = "the file system is full, or has no inode left (`df`, `df -i`): make room on it";
  } else if (errnum == EFBIG) {
    error.hint = "a limit on the size of files is set (`ulimit -f`): lift it";
  } else if (errnum == ENOENT || errnum == ENOTDIR) {
    error.kind = ErrorKind::not_found;
  }
  return error;
}

Result<std::optional<std::string>> read_file(const std::string& path) {
  const std::string doing = fmt::format("read {}", path);
  const Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid() && errno == ENOENT) return std::nullopt;
  if (!fd.valid()) return fail(file_error(doing, errno));
  std::string content;
  std::array<char, 4096> room{};
  while (true) {
    const ssize_t size = read(fd.get(), room.data(), room.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return fail(file_error(doing, errno));
    if (size == 0) return content;
    content.append(room.data(), static_cast<std::size_t>(size));
  }
}

Result<void> write_durably(const std::string& path, std::string_view content, mode_t mode) {
  const std::string doing = fmt::format("write {}", path);
  const std::string fresh = path + ".new";
  {
    const Fd fd(open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode));
    if (!fd.valid()) return fail(file_error(doing, errno));
    // The mode asked for, whatever the umask.
    if (!write_all(fd.get(), content) || fchmod(fd.get(), mode) != 0 || fsync(fd.get()) != 0) {
      const int errnum = errno;
      unlink(fresh.c_str());
      return fail(file_error(doing, errnum));
    }
  }
  if (rename(fresh.c_str(), path.c_str()) != 0) {
    const int errnum = errno;
    unlink(fresh.c_str());
    return fail(file_error(doing, errnum));
  }
  return sync_directory(directory_of(path));
}

Result<void> remove_durably(const std::string& path) {
  unlink((path + ".new").c_str());
  if (unlink(path.c_str()) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return {};
    return fail(file_error(fmt::format("remove {}", path), errno));
  }
  return sync_directory(directory_of(path));
}

Result<void> remove_durably(const std::string& path, const std::string& directory,
                            const std::string& parent) {
  auto removed = remove_durably(path);
  if (removed && rmdir(directory.c_str()) == 0) rmdir(parent.c_str());
  return removed;
}

Result<bool> make_directory(const std::string& path, mode_t mode) {
  if (mkdir(path.c_str(), mode) == 0) return true;
  struct stat found {};
  const int errnum = errno;
  if (errnum == EEXIST && stat(path.c_str(), &found) == 0 && S_ISDIR(found.st_mode)) return false;
  return fail(file_error(fmt::format("make directory {}", path), errnum));
}

Result<void> make_directories(const std::string& parent, const std::string& path, mode_t mode) {
  Result<void> outcome;
  for (int i = 0; i < 100; ++i) {
    if (auto made = make_directory(parent, mode); !made) return fail(made.error());
    const auto made = make_directory(path, mode);
    if (made) return {};
    outcome = fail(made.error());
    if (made.error().errnum != ENOENT) break;
  }
  return outcome;
}

}  // namespace retour
