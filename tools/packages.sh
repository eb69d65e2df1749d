# Sourced by tools/run and tools/test: the Debian 12 packages that building and testing need, and a way to install those that are missing.

packages=(
  g++ cmake ninja-build ccache pkg-config
  libboost1.81-dev libboost-url1.81-dev libsimdjson-dev libxxhash-dev libssl-dev
  libfmt-dev libspdlog-dev libcli11-dev libzstd-dev zlib1g-dev prometheus-cpp-dev libjemalloc-dev
  python3 python3-yaml
  doctest-dev libbenchmark-dev libpq-dev libnats-dev
  strace e2fsprogs openssl
)

install_missing_packages() {
  local missing=() package as_root=()
  for package in "${packages[@]}"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0

  if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
      echo "These packages are missing; install them as root: ${missing[*]}" >&2
      return 1
    fi
    as_root=(sudo)
  fi
  echo "Installing ${missing[*]}"
  local install=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}")
  # Without package lists, or with old ones, the first try cannot succeed.
  if ! apt-cache policy "${missing[@]}" | grep -q 'Candidate: [^(]' || ! "${install[@]}"; then
    "${as_root[@]}" apt-get update -q && "${install[@]}"
  fi
}
