#!/bin/sh
# Installs what the virtual machine needs (Debian packages, as root).
#
#   setup.sh [kernel]      with `kernel` also Debian's kernel, for a machine with this machine's files
set -eu

missing=
for pair in qemu-system-x86_64:qemu-system-x86 modprobe:kmod cpio:cpio zstd:zstd xz:xz-utils busybox:busybox-static mkfs.ext4:e2fsprogs; do
    PATH=$PATH:/usr/sbin:/sbin command -v "${pair%:*}" >/dev/null || missing="$missing ${pair#*:}"
done
if [ "${1:-}" = kernel ] && [ -z "$(find /lib/modules -maxdepth 1 -name '*-amd64' ! -name '*cloud*' 2>/dev/null)" ]; then
    missing="$missing linux-image-amd64"
fi
[ -n "$missing" ] || exit 0
[ "$(id -u)" = 0 ] || {
    echo "vm: needs root to install$missing" >&2
    exit 1
}
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends $missing >/dev/null 2>&1 || {
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends $missing >/dev/null
}
