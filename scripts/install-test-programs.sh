#!/usr/bin/env bash
# Installs the programs that the tests need, on Debian or Ubuntu, as root. The one list of them: CI uses it too.
set -euo pipefail
programs=(
  curl dnsmasq-base etcd-client etcd-server haproxy iproute2 knot openssl procps socat systemd
  # Compilers for the native relay: this machine's, arm64's and musl's.
  gcc gcc-aarch64-linux-gnu libc6-dev libc6-dev-arm64-cross musl-tools qemu-user-static
)
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${programs[@]}" >/dev/null
