#!/bin/sh
# Makes a root with the engines of a Debian suite (2 GB, kept in build/roots), and prints where it is.
#
#   engines.sh SUITE [machine]     with `machine`, it also has what a machine of its own needs: kernel, systemd, D-Bus
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
suite=${1:?"usage: engines.sh SUITE [machine]"}
root=$top/build/roots/callers-$suite

sh "$top/conformance/suites/root.sh" make "$suite" "$root" ca-certificates podman conmon buildah crun runc containerd docker.io docker-cli \
    netavark aardvark-dns containernetworking-plugins catatonit busybox-static iproute2 iptables nftables uidmap fuse-overlayfs \
    jq procps bsdutils util-linux nodejs >&2

# CRIU is not in every suite; without it checkpoints are left out.
if [ ! -e "$root/.complete-criu" ]; then
    criu=$(sh "$top/conformance/suites/root.sh" enter "$root" apt-cache --names-only search '^(criu|libcriu2)$' | cut -d ' ' -f 1)
    # shellcheck disable=SC2086
    [ -z "$criu" ] || sh "$top/conformance/suites/root.sh" add "$root" criu $criu >&2
    mkdir -p "$root/etc/criu" # a place to mount configurations on
fi

# Nobody starts the kernel with its initrd, so none is made.
[ "${2:-}" != machine ] || INITRD=No sh "$top/conformance/suites/root.sh" add "$root" machine \
    linux-image-amd64 kmod systemd systemd-sysv dbus dbus-user-session libpam-systemd passwd >&2
echo "$root"
