#!/usr/bin/env bash
# Installs the programs that the tests need, on Debian or Ubuntu, as root. The one list of them: CI uses it too.
set -euo pipefail
programs=(
  chromium curl debian-archive-keyring dnsmasq-base etcd-client etcd-server haproxy iproute2 knot openssl procps
  python3 socat strace systemd
  # Compilers for the native relay: this machine's, arm64's and musl's.
  gcc gcc-aarch64-linux-gnu libc6-dev libc6-dev-arm64-cross musl-tools qemu-user-static
)
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${programs[@]}" >/dev/null

# Some tests run once for each of these versions of etcd. A version that the system does not have is unpacked beside it,
# from the release of Debian that has it.
etcds=("3.4 bookworm" "3.5 trixie")
folder=/opt/gw-test # packages/testing/src/etcd-versions.ts looks here
source "$(dirname "$0")/unpack-debian.sh"

has_version() { # a program and a version
  [[ "$("$1" --version 2>/dev/null)" =~ "etcd Version: $2." ]]
}
unpack_etcd() { # a version and a release of Debian
  local target="$folder/etcd-$1"
  if has_version etcd "$1" || has_version "$target/usr/bin/etcd" "$1"; then return; fi
  unpack_debian "$2" "$target" etcd-server
  if ! has_version "$target/usr/bin/etcd" "$1"; then
    echo "Debian $2 has no etcd $1 that runs here: $("$target/usr/bin/etcd" --version 2>&1 | head -n 1)" >&2
    return 1
  fi
}
for etcd in "${etcds[@]}"; do
  # shellcheck disable=SC2086
  unpack_etcd $etcd
done

# promtool and the parsers of Prometheus' Python client, which check what gw shows. They are unpacked and not installed, so
# that the service of Prometheus is not started.
if ! "$folder/prometheus/usr/bin/promtool" --version >/dev/null 2>&1; then
  unpack_debian bookworm "$folder/prometheus" prometheus python3-prometheus-client
fi
