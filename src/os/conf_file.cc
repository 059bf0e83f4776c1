// SPDX-License-Identifier: Apache-2.0
#include "os/conf_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>

namespace retour {
namespace {

constexpr const char* conf_path = "/proc/sys/net/ipv4/conf";
constexpr const char* conf6_path = "/proc/sys/net/ipv6/conf";

std::optional<std::int32_t> parse_value(std::string_view text) {
  std::int32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end == text.data()) return std::nullopt;
  return value;
}

Error read_error(const char* path, int errnum) {
  return {ErrorKind::system, errnum, fmt::format("read {}/all", path), std::strerror(errnum)};
}

template <class Values, class Table, class Files>
Values read_scope(const Fd& directory, const Table& table, Files& files) {
  Values values;
  std::array<char, 16> room{};
  for (const auto& about : table) {
    Fd& fd = files[static_cast<std::size_t>(about.conf)];
    if (!fd.valid()) {
      const std::string path = fmt::format("all/{}", about.name);
      fd = Fd(openat(directory.get(), path.c_str(), O_RDONLY | O_CLOEXEC));
    }
    if (!fd.valid()) continue;
    const ssize_t size = pread(fd.get(), room.data(), room.size(), 0);
    if (size > 0)
      values.set(about.conf, parse_value({room.data(), static_cast<std::size_t>(size)}));
  }
  return values;
}

Error write_error(const std::string& path, std::int32_t value, int errnum) {
  Error error{ErrorKind::system, errnum, fmt::format("write {} to {}", value, path),
              std::strerror(errnum)};
  if (errnum == EROFS) {
    error.kind = ErrorKind::permission;
    error.hint =
        "/proc/sys is read-only here, as in most containers: set this value on the host, or run "
        "with /proc/sys writable";
  } else if (errnum == EACCES || errnum == EPERM) {
    error.kind = ErrorKind::permission;
    error.hint = "changing a sysctl of the network needs CAP_NET_ADMIN: run retour as root";
  } else if (errnum == ENOENT) {
    error.kind = ErrorKind::not_found;
    error.hint = "the link is gone or was renamed, or this kernel has no such setting";
  }
  return error;
}

}  // namespace

ConfDirectory::ConfDirectory()
    : directory_(open(conf_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)),
      open_errno_(directory_.valid() ? 0 : errno),
      directory6_(open(conf6_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)),
      open_errno6_(directory6_.valid() ? 0 : errno) {}

Result<ConfValues> ConfDirectory::read_all() {
  if (!directory_.valid()) return fail(read_error(conf_path, open_errno_));
  return read_scope<ConfValues>(directory_, conf_table(), all_);
}

Result<Conf6Values> ConfDirectory::read_all6() {
  if (!directory6_.valid()) return fail(read_error(conf6_path, open_errno6_));
  return read_scope<Conf6Values>(directory6_, conf6_table(), all6_);
}

Result<void> ConfDirectory::write(const std::string& link_name, Conf conf, std::int32_t value) {
  const std::string path = fmt::format("{}/{}/{}", conf_path, link_name, info(conf).name);
  if (link_name.empty() || link_name == "." || link_name == ".." || link_name == "all" ||
      link_name == "default" || link_name.find('/') != std::string::npos ||
      link_name.find('\0') != std::string::npos) {
    return fail({ErrorKind::usage, EINVAL, fmt::format("write {} to {}", value, path),
                 "not the name of a link"});
  }
  if (!directory_.valid()) return fail(write_error(path, value, open_errno_));
  const std::string below = fmt::format("{}/{}", link_name, info(conf).name);
  const Fd fd(openat(directory_.get(), below.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd.valid()) return fail(write_error(path, value, errno));
  const std::string text = fmt::format("{}\n", value);
  if (::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return fail(write_error(path, value, errno));
  }
  return {};
}

}  // namespace retour
