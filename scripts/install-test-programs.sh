#!/usr/bin/env bash
# Installs the programs that the tests need, on Debian or Ubuntu, as root. The one list of them: CI uses it too.
set -euo pipefail
programs=(
  curl debian-archive-keyring dnsmasq-base etcd-client etcd-server haproxy iproute2 knot openssl procps socat strace systemd
  # Compilers for the native relay: this machine's, arm64's and musl's.
  gcc gcc-aarch64-linux-gnu libc6-dev libc6-dev-arm64-cross musl-tools qemu-user-static
)
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${programs[@]}" >/dev/null

# Some tests run once for each of these versions of etcd. A version that the system does not have is unpacked beside it,
# from the release of Debian that has it: with settings of APT's own, so that nothing of the system changes.
etcds=("3.4 bookworm" "3.5 trixie")
folder=/opt/gw-test # packages/testing/src/etcd-versions.ts looks here
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT

has_version() { # a program and a version
  [[ "$("$1" --version 2>/dev/null)" =~ "etcd Version: $2." ]]
}
unpack_etcd() { # a version and a release of Debian
  local target="$folder/etcd-$1" private="$temporary/$2"
  if has_version etcd "$1" || has_version "$target/usr/bin/etcd" "$1"; then return; fi
  mkdir -p "$private"/{lists,archives}/partial "$private"/{parts,download}
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian $2 main" \
    >"$private/sources.list"
  local apt=(
    apt-get -qq
    -o "Dir::Etc::SourceList=$private/sources.list" -o "Dir::Etc::SourceParts=$private/parts"
    -o "Dir::Etc::Preferences=$private/none" -o "Dir::Etc::PreferencesParts=$private/parts"
    -o "Dir::State::Lists=$private/lists" -o Dir::State::Status=/dev/null
    -o "Dir::Cache=$private" -o APT::Sandbox::User=root
  )
  "${apt[@]}" update
  (cd "$private/download" && "${apt[@]}" download etcd-server)
  rm -rf "$target"
  mkdir -p "$target"
  dpkg -x "$private"/download/etcd-server_*.deb "$target"
  if ! has_version "$target/usr/bin/etcd" "$1"; then
    echo "Debian $2 has no etcd $1 that runs here: $("$target/usr/bin/etcd" --version 2>&1 | head -n 1)" >&2
    return 1
  fi
}
for etcd in "${etcds[@]}"; do
  # shellcheck disable=SC2086
  unpack_etcd $etcd
done
