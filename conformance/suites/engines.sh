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

# Nobody starts the kernel with its initrd, so none is made.
[ "${2:-}" != machine ] || INITRD=No sh "$top/conformance/suites/root.sh" add "$root" machine \
    linux-image-amd64 kmod systemd systemd-sysv dbus dbus-user-session libpam-systemd passwd criu >&2
echo "$root"
