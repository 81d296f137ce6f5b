#!/bin/sh
# A root filesystem of a Debian suite, and a way into it that is like a machine of its own.
#
#   root.sh make SUITE DIRECTORY [PACKAGE]...    debootstrap, from the mirror that this machine uses; what is there already is kept
#   root.sh add DIRECTORY NAME PACKAGE...        more packages, once: NAME is what they are remembered by
#   root.sh enter DIRECTORY COMMAND...           runs a command in it; the status is the command's
#
# `enter` has mount and pid namespaces of its own, and enters the root by pivot_root: a chroot would forbid user namespaces, and have no
# mount point for its "/". In it are a fresh /proc, /sys and /dev, tmpfs on /run and /tmp, and the cgroups of this machine: on v1 without
# the unified hierarchy, which crun refuses beside them. All of it ends with the command. Process 1 is a shell that waits for the command, and
# so for every orphan: one that nobody reaps would keep a process namespace inside from ending.
#
#   NETWORK=none   a network namespace of its own, with nothing but lo
#   BIND="/from:/to ..."   directories of this machine, read-only, to be seen in it
set -eu

die() {
    echo "root.sh: $*" >&2
    exit 1
}
[ "$(id -u)" = 0 ] || die "needs root"

make_root() {
    suite=$1 root=$2
    shift 2
    [ ! -e "$root/.complete" ] || return 0
    command -v apt-get >/dev/null || die "only Debian's packages are known here"
    command -v debootstrap >/dev/null || apt-get install -y -qq --no-install-recommends debootstrap >/dev/null 2>&1 || {
        apt-get update -qq
        apt-get install -y -qq --no-install-recommends debootstrap >/dev/null
    }
    own=$(. /etc/os-release && echo "${VERSION_CODENAME:-sid}")
    # shellcheck disable=SC2016
    mirror=$(apt-get indextargets --format '$(SITE) $(CODENAME) $(ORIGIN)' | awk -v suite="$own" '$2 == suite && $3 == "Debian" { print $1; exit }')
    [ -n "$mirror" ] || die "apt knows no source of $own; apt-get update?"

    mkdir -p "$(dirname "$root")"
    rm -rf "$root.new"
    debootstrap --variant=minbase "$suite" "$root.new" "$mirror" >"$root.log" 2>&1 || die "debootstrap failed, see $root.log"
    echo "deb $mirror $suite main" >"$root.new/etc/apt/sources.list"
    # How this machine reaches the mirror holds there too.
    cp /etc/resolv.conf "$root.new/etc/resolv.conf"
    for file in /etc/apt/apt.conf /etc/apt/apt.conf.d/*; do
        [ ! -f "$file" ] || ! grep -qi '^ *acquire' "$file" || cp "$file" "$root.new/etc/apt/apt.conf.d/"
    done
    [ -s "$root.new/etc/hosts" ] || echo "127.0.0.1 localhost" >"$root.new/etc/hosts" # as an installed Debian has it
    rm -rf "$root" # of an attempt that failed later on
    mv "$root.new" "$root"
    [ $# -eq 0 ] || install_packages "$root" "$@"
    touch "$root/.complete"
}

add_packages() {
    root=$1 name=$2
    shift 2
    [ ! -e "$root/.complete-$name" ] || return 0
    install_packages "$root" "$@"
    touch "$root/.complete-$name"
}

install_packages() {
    # shellcheck disable=SC2016
    enter_root "$1" sh -c 'export DEBIAN_FRONTEND=noninteractive
        shift && apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@"' apt "$@" >>"$1.log" 2>&1 || die "apt-get failed, see $1.log"
}

enter_root() {
    root=$1
    shift
    unshared="--mount --pid --fork --kill-child"
    [ "${NETWORK:-}" != none ] || unshared="$unshared --net"
    # shellcheck disable=SC2086,SC2016
    ROOT=$root unshare $unshared --propagation private sh -euc '
        [ "${NETWORK:-}" != none ] || ip link set lo up
        mount --bind "$ROOT" "$ROOT"
        cd "$ROOT"
        mount -t proc proc proc
        mount -t sysfs sysfs sys
        mount -t tmpfs -o mode=755 tmpfs run
        mount -t tmpfs -o mode=1777 tmpfs tmp
        mount -t tmpfs -o mode=755 tmpfs dev
        mkdir dev/pts dev/shm
        mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts dev/pts
        mount -t tmpfs -o mode=1777 tmpfs dev/shm
        ln -s pts/ptmx dev/ptmx
        ln -s /proc/self/fd dev/fd
        ln -s /proc/self/fd/0 dev/stdin
        ln -s /proc/self/fd/1 dev/stdout
        ln -s /proc/self/fd/2 dev/stderr
        for node in null zero full random urandom tty kmsg fuse net/tun loop-control; do
            [ -e "/dev/$node" ] || continue
            mkdir -p "dev/$(dirname "$node")"
            touch "dev/$node"
            mount --bind "/dev/$node" "dev/$node"
        done
        if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
            mount --bind /sys/fs/cgroup sys/fs/cgroup
        else
            mount -t tmpfs -o mode=755 tmpfs sys/fs/cgroup
            for hierarchy in /sys/fs/cgroup/*; do
                name=$(basename "$hierarchy")
                [ "$name" != unified ] || continue
                if [ -L "$hierarchy" ]; then
                    ln -s "$(readlink "$hierarchy")" "sys/fs/cgroup/$name"
                elif mountpoint -q "$hierarchy"; then
                    mkdir "sys/fs/cgroup/$name"
                    mount --bind "$hierarchy" "sys/fs/cgroup/$name"
                fi
            done
        fi
        for pair in ${BIND:-}; do
            mkdir -p "./${pair#*:}"
            mount --bind "${pair%%:*}" "./${pair#*:}"
            mount -o remount,bind,ro "./${pair#*:}"
        done
        mkdir -p .old
        pivot_root . .old
        cd /
        umount -l /.old
        rmdir /.old
        unset ROOT BIND NETWORK
        status=0
        "$@" || status=$?
        exit $status' enter "$@"
}

command=${1:-}
[ $# -eq 0 ] || shift
case $command in
make) make_root "$@" ;;
add) add_packages "$@" ;;
enter) enter_root "$@" ;;
*) die "usage: root.sh make SUITE DIRECTORY [PACKAGE]... | root.sh add DIRECTORY NAME PACKAGE... | root.sh enter DIRECTORY COMMAND..." ;;
esac
