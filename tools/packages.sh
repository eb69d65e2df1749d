# Sourced by tools/run and tools/test: the Debian 12 packages that building and testing need, and a way to install those that are missing.

packages=(
  g++ cmake ninja-build ccache pkg-config python3 python3-yaml
  libboost1.81-dev libboost-url1.81-dev libsimdjson-dev libxxhash-dev libssl-dev
  libfmt-dev libspdlog-dev libcli11-dev libzstd-dev zlib1g-dev prometheus-cpp-dev libjemalloc-dev libmozjs-102-dev libseccomp-dev
  libwslay-dev libhiredis-dev libre2-dev
)
# What tests and benchmarks need besides.
test_packages=(
  doctest-dev libbenchmark-dev libpq-dev libnats-dev python3-jsonpatch python3-cryptography json-schema-test-suite
  strace e2fsprogs openssl zstd redis-server
)
# A Node from elsewhere brings an npm of its own, beside which Debian's cannot be installed.
command -v npm >/dev/null || test_packages+=(npm)

# apt_get ARGUMENT...: as root, by sudo if need be. Waits for another apt that is at work, as there often is after a machine's start.
apt_get() {
  local command=(env LC_ALL=C DEBIAN_FRONTEND=noninteractive apt-get -y -q "$@") log status tries
  [ "$(id -u)" -eq 0 ] || command=(sudo "${command[@]}")
  log=$(mktemp)
  for ((tries = 0; tries < 120; ++tries)); do
    status=0
    "${command[@]}" 2>&1 | tee "$log" || status=$?
    if [ "$status" -eq 0 ] || ! grep -Eq 'Could not get lock|locked by another process' "$log"; then
      break
    fi
    echo "Another apt is at work; trying again in five seconds"
    sleep 5
  done
  rm -f "$log"
  return "$status"
}

# unknown_packages PACKAGE...: those that the package lists do not have
unknown_packages() {
  local known package
  known=$(LC_ALL=C apt-cache policy "$@" 2>/dev/null | sed -n '/^[^ ]/ { s/:$//; h; }; /Candidate: [^(]/ { x; p; }')
  for package in "$@"; do
    grep -qxF -e "$package" <<<"$known" || echo "$package"
  done
}

install_missing_packages() {
  local missing=() package unknown
  for package in "${packages[@]}"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0

  if ! command -v apt-get >/dev/null; then
    echo "There is no apt-get here to install these packages of Debian 12 with: ${missing[*]}" >&2
    return 1
  fi
  local by_hand="install them as root, then start this again:
  apt-get update && apt-get install --no-install-recommends ${missing[*]}"
  if [ "$(id -u)" -ne 0 ] && ! { command -v sudo && sudo true; } >/dev/null; then
    echo "Packages are missing, and sudo cannot be used; $by_hand" >&2
    return 1
  fi
  echo "Installing ${missing[*]}"
  # Without package lists, or with old ones, the first try cannot succeed.
  if [ -n "$(unknown_packages "${missing[@]}")" ] || ! apt_get install --no-install-recommends "${missing[@]}"; then
    if ! apt_get update || ! apt_get install --no-install-recommends "${missing[@]}"; then
      unknown=$(unknown_packages "${missing[@]}" | paste -sd ' ')
      echo "Packages are missing and could not be installed${unknown:+ (apt does not know $unknown)}; $by_hand" >&2
      return 1
    fi
  fi
}
