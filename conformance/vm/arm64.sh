#!/bin/sh
# The life of containers on arm64: build/arm64/reg in a virtual machine of that kind, whose processor is emulated, with Debian 13's kernel, cgroup v2 and
# nothing else. What is tried: arm64-inside.sh. Ends with the line `N passed, N failed`.
#
# Needs `make build ARCH=arm64`, and qemu-system-arm, which is installed, as root. Kernel and busybox are kept in build/vm.
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
cache=$top/build/vm/arm64
limit=600

die() {
    echo "arm64.sh: $*" >&2
    exit 1
}
[ -x "$top/build/arm64/reg" ] || die "build/arm64/reg is missing: make build ARCH=arm64"
command -v qemu-system-aarch64 >/dev/null || {
    [ "$(id -u)" = 0 ] || die "qemu-system-arm is missing, and only root can install it"
    apt-get install -y -qq --no-install-recommends qemu-system-arm >/dev/null 2>&1 || {
        apt-get update -qq
        apt-get install -y -qq --no-install-recommends qemu-system-arm >/dev/null
    }
}

if [ ! -e "$cache/kernel" ]; then
    rm -rf "$cache.new"
    mkdir -p "$cache.new/root"
    fetch() { DEB_ARCH=arm64 sh "$top/native-shim/fetch-debs.sh" trixie "$cache.new" "$@"; }
    fetch busybox-static linux-image-arm64
    name=$(dpkg-deb --field "$(find "$cache.new" -name 'linux-image-arm64_*')" Depends | cut -d' ' -f1) # the package stands for the newest kernel
    fetch "$name"
    dpkg-deb --extract "$(find "$cache.new" -name 'busybox-static_*')" "$cache.new/root"
    dpkg-deb --fsys-tarfile "$(find "$cache.new" -name "${name}_*")" |
        tar --extract --directory "$cache.new/root" --wildcards './boot/vmlinuz-*' './usr/lib/modules/*/overlay.ko*'
    find "$cache.new/root" -name 'overlay.ko.xz' -exec xz -dc {} \; >"$cache.new/overlay.ko"
    mv "$cache.new/root/usr/bin/busybox" "$cache.new/busybox"
    mv "$cache.new/root/boot"/vmlinuz-* "$cache.new/kernel"
    rm -rf "$cache.new/root" "$cache.new"/*.deb "$cache"
    mv "$cache.new" "$cache"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/root/bin" "$work/root/proc" "$work/root/sys" "$work/root/dev" "$work/root/run" "$work/root/tmp"
cp "$cache/busybox" "$work/root/bin/busybox"
cp "$cache/overlay.ko" "$work/root/overlay.ko"
cp "$top/build/arm64/reg" "$work/root/bin/reg"
cp "$top/conformance/vm/arm64-inside.sh" "$work/root/init"
chmod +x "$work/root/init"
(cd "$work/root" && find . | cpio --quiet -o -H newc) >"$work/initrd"

timeout --kill-after=10 "$limit" qemu-system-aarch64 -machine virt -cpu cortex-a72 -smp 2 -m 1024 -accel tcg,thread=multi \
    -nodefaults -display none -no-reboot -kernel "$cache/kernel" -initrd "$work/initrd" \
    -append "console=ttyAMA0 quiet loglevel=1 panic=-1 cgroup_no_v1=all" -serial stdio </dev/null | sed -u "s|\r\$||" | tee "$work/log"
summary=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$work/log" | tail -n 1)
[ -n "$summary" ] || die "the machine ended without a result"
case $summary in *" 0 failed") ;; *) exit 1 ;; esac
