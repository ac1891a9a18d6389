#!/usr/bin/env bash
# Unpacks newer versions of HAProxy and nginx for `npm run bench` on Debian or Ubuntu, unless the system has them. They
# come from Debian 13 with the libraries that they need, as the C library of the system may be too old for them. Nothing
# of the system changes. Needs write access to the folder; GW_BENCH_PEERS names another one.
set -euo pipefail
source "$(dirname "$0")/unpack-debian.sh"
folder=${GW_BENCH_PEERS:-/opt/gw-test} # apps/bench/src/subjects/unpacked.ts looks here

if haproxy -v 2>/dev/null | grep -q 'version 3\.0\.'; then
  echo "the system has HAProxy 3.0"
else
  unpack_debian trixie "$folder/haproxy-3.0" haproxy libc6 libcrypt1 libgcc-s1 libjemalloc2 liblua5.4-0 \
    libopentracing-c-wrapper0t64 libopentracing1 libpcre2-8-0 libssl3t64 libstdc++6 libzstd1 zlib1g
fi
if nginx -v 2>&1 | grep -q 'nginx/1\.26\.'; then
  echo "the system has nginx 1.26"
else
  unpack_debian trixie "$folder/nginx-1.26" nginx libnginx-mod-stream libc6 libcrypt1 libpcre2-8-0 libssl3t64 libzstd1 zlib1g
fi
