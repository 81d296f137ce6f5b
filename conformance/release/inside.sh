#!/bin/sh
# What check.sh has done in a clean root of Debian; /in has the packages, a busybox and this script.
# Usage: inside.sh reg|reg-env VERSION ARCH
set -eux
steps=$1 version=$2 arch=$3

# files: all that there is, but for logs and what dpkg and apt note for themselves.
files() {
    find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /tmp -o -path /in -o -path /var/log -o -path /var/lib/dpkg -o -path /var/cache \
        -o -path /var/lib/apt -o -path /run \) -prune -o -print | sort
    find /run -mindepth 1 | sort
}

# bundle COMMAND...: a bundle in /tmp/bundle that runs it.
bundle() {
    rm -rf /tmp/bundle
    mkdir -p /tmp/bundle/rootfs/bin
    cp /in/busybox /tmp/bundle/rootfs/bin/
    for name in sh sleep echo true; do ln -s busybox "/tmp/bundle/rootfs/bin/$name"; done
    reg spec --bundle /tmp/bundle
    words=$(printf ', "%s"' "$@")
    sed -i -e 's/"terminal": true/"terminal": false/' -e "s|\"sh\"|${words#, }|" /tmp/bundle/config.json
}

status() {
    reg state "$1" | sed -n 's/.*"status": "\([a-z]*\)".*/\1/p'
}

id=release-check-$version-$steps-$$
trap 'reg delete --force "$id" || true' EXIT

case $steps in
reg)
    ! command -v node
    files >/tmp/before

    # An older one, with a container that runs.
    dpkg -i /in/older.deb
    bundle sleep 1000
    reg run --detach --bundle /tmp/bundle "$id" </dev/null >/tmp/out 2>&1
    test "$(status "$id")" = running
    before=$(sha256sum </usr/bin/reg)

    # The new one under it.
    dpkg -i "/in/reg_${version}_$arch.deb"
    test "$before" != "$(sha256sum </usr/bin/reg)"
    test "$(command -v reg)" = /usr/bin/reg
    test "$(reg --version | head -n 1)" = "reg version $version"
    reg --version | grep '^commit: '
    reg --version | grep '^engine: QuickJS'
    test "$(status "$id")" = running
    test "$(reg exec "$id" echo inside)" = inside
    reg kill "$id" KILL
    tries=0
    until [ "$(status "$id")" = stopped ]; do
        tries=$((tries + 1))
        test $tries -lt 100
        sleep 0.1
    done
    reg delete "$id"
    test -z "$(reg list --quiet)"

    # The same once more changes nothing.
    dpkg -i "/in/reg_${version}_$arch.deb"
    test -z "$(dpkg --verify reg)"

    # A container of its own, from PATH, and the shim.
    bundle echo "hello from a package"
    test "$(reg run --bundle /tmp/bundle "$id")" = "hello from a package"
    containerd-shim-reg-v2 -v
    # Documentation may be left out of small roots; what is there can be read.
    find /usr/share/man -name 'reg*.gz' -exec gzip -t {} +
    find /usr/share/bash-completion/completions/reg -exec bash -n {} +

    # What can be removed is gone, also what it made in /run.
    dpkg --remove reg
    ! command -v reg
    dpkg --purge reg
    files >/tmp/after
    diff /tmp/before /tmp/after
    trap - EXIT
    ;;
reg-env)
    apt-get update -qq
    files >/tmp/before
    apt-get install -y -qq --no-install-recommends "/in/reg_${version}_$arch.deb" "/in/reg-env_${version}_$arch.deb"
    reg-env generate release@1 --program /usr/bin/env --program /usr/bin/printf
    reg-env list | grep release@1
    test "$(reg-env run release@1 -- /usr/bin/printf %s shared)" = shared
    reg-env verify
    reg-env gc
    test -z "$(dpkg --verify reg-env)"
    apt-get purge -y -qq --autoremove reg-env reg
    files >/tmp/after
    diff /tmp/before /tmp/after
    trap - EXIT
    ;;
esac
