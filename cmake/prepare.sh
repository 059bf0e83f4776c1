# SPDX-License-Identifier: Apache-2.0
#
# What ./run and ./test share: packages and a configured build tree. Sourced, with $root set.
# Everything said here goes to stderr: stdout belongs to the program.

packages_build=(g++ cmake ninja-build pkg-config libmnl-dev libfmt-dev libcli11-dev
  libtomlplusplus-dev nlohmann-json3-dev libexpected-dev iproute2)
# From containernetworking-plugins on: what tests/comparison runs by hand; none starts a service.
packages_test=(clang-14 libclang-rt-14-dev clang-format-14 clang-tidy-14 libgtest-dev python3
  mandoc iputils-ping containernetworking-plugins systemd dbus-daemon dbus-system-bus-common)
# Run by tests in namespaces of their own. Unpacked below build/, never installed: nothing of them
# starts with this machine, and none of them manages its network.
packages_unpacked=(systemd dbus network-manager netplan.io ifupdown)

# Objects are the same wherever the tree stands: another clone compiles nothing twice.
export CCACHE_BASEDIR="$root" CCACHE_NOHASHDIR=1

say() { printf 'retour: %s\n' "$*" >&2; }

# Installs those of the named packages that are missing; silent when none is.
install_packages() {
  local missing=() name status log
  command -v dpkg-query >/dev/null || return 0 # not Debian: cmake will name what it lacks
  while read -r status name; do
    [ "$status" = installed ] && have["$name"]=1
  done < <(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null)
  for name in "$@"; do
    [ -n "${have[$name]:-}" ] || missing+=("$name")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  if [ "$(id -u)" -ne 0 ]; then
    say "missing packages: ${missing[*]}"
    say "install them with: sudo apt-get install --no-install-recommends ${missing[*]}"
    return 3
  fi
  say "installing ${missing[*]}"
  log=$(mktemp)
  if ! {
    apt-get update -q &&
      DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 install \
        --no-install-recommends "${missing[@]}"
  } >"$log" 2>&1 </dev/null; then
    cat "$log" >&2
    rm -f "$log"
    say "install ${missing[*]}: apt-get failed, see above"
    return 3
  fi
  rm -f "$log"
}
declare -A have

# Those of packages_unpacked that are not installed, with what they need, into build/programs/.
unpack_programs() {
  local programs=$root/build/programs wanted="${packages_unpacked[*]}" log deb tree
  [ "$(cat "$programs/unpacked" 2>/dev/null)" = "$wanted" ] && return 0
  command -v apt-get >/dev/null || return 0 # not Debian: the tests will say what they lack
  say "unpacking $wanted into build/programs"
  rm -rf "$programs" && mkdir -p "$programs/archives/partial" "$programs"/{usr,etc,var} || return 3
  log=$(mktemp)
  if ! (
    apt-get update -q &&
      apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dir::Cache::archives="$programs/archives" install \
        --download-only --no-install-recommends "${packages_unpacked[@]}" &&
      for deb in "$programs"/archives/*.deb; do
        [ -e "$deb" ] || continue # all of them are installed
        dpkg-deb --extract "$deb" "$programs" || exit
      done
  ) >"$log" 2>&1 </dev/null; then
    cat "$log" >&2
    rm -f "$log"
    say "unpack $wanted: failed, see above"
    return 3
  fi
  rm -rf "$log" "$programs/archives"
  # As on a machine: /lib and its like are in /usr.
  for tree in lib bin sbin; do
    [ -d "$programs/$tree" ] || continue
    mkdir -p "$programs/usr/$tree" && cp -a "$programs/$tree/." "$programs/usr/$tree/" || return 3
    rm -rf "${programs:?}/$tree"
  done
  echo "$wanted" >"$programs/unpacked"
}

# build PRESET DIR LOG TARGET…: configures when needed, then builds; the log holds all output.
build() {
  local preset=$1 dir=$2 log=$3
  shift 3
  : >"$log"
  # A tree that was moved or copied, a configure run that was interrupted, a preset that was edited.
  if ! grep -qsxF "CMAKE_HOME_DIRECTORY:INTERNAL=$root" "$dir/CMakeCache.txt"; then
    (cd "$root" && cmake --fresh --preset "$preset") >>"$log" 2>&1 </dev/null || return 1
  elif [ ! -e "$dir/build.ninja" ] || [ "$root/CMakePresets.json" -nt "$dir/build.ninja" ]; then
    (cd "$root" && cmake --preset "$preset") >>"$log" 2>&1 </dev/null || return 1
  fi
  NINJA_STATUS='[%f/%t] ' ninja -C "$dir" "$@" 2>&1 </dev/null | build_progress "$preset" "$log"
  return "${PIPESTATUS[0]}"
}

# Copies ninja's lines to the log and, on a terminal, shows one moving line for those that work.
build_progress() {
  local line shown=
  while IFS= read -r line; do
    printf '%s\n' "$line" >>"$2"
    if [[ $line =~ ^\[([0-9]+/[0-9]+)\]\ (Building|Linking) ]]; then
      if [ -t 2 ]; then
        printf '\rretour: building (%s) %s ' "$1" "${BASH_REMATCH[1]}" >&2
      elif [ -z "$shown" ] && [ -z "${quiet_build:-}" ]; then
        say "building ($1)"
      fi
      shown=1
    fi
  done
  if [ -n "$shown" ] && [ -t 2 ]; then printf '\r\033[K' >&2; fi
  return 0
}

# A build log without the lines of what went well.
build_errors() {
  grep -vE '^(\[[0-9]+/[0-9]+\] (Building|Linking|Re-checking)|ninja: Entering|-- |$)' "$1"
}
