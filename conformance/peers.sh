#!/bin/sh
# Leaves newer crun and runc than the machine's at build/peers/SUITE/bin, for comparisons: those of Debian trixie and sid.
#
#   peers.sh [SUITE]...
#
# The packages are unpacked, not installed. They need a newer C library than the machine may have, so their ELF interpreter and library
# path are set to the unpacked ones: no wrapper stands between a caller and the program, and none is measured.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
peers=$top/build/peers
[ $# -gt 0 ] || set -- trixie sid

say() {
    echo "peers: $*" >&2
}

command -v apt-get >/dev/null || {
    say "only Debian's packages are known here; crun and runc of this machine are used alone"
    exit 0
}

# The machine's patchelf, or Debian's, unpacked.
find_patchelf() {
    if command -v patchelf; then
        return
    fi
    if [ ! -x "$peers/patchelf/usr/bin/patchelf" ]; then
        sh "$top/native-shim/fetch-debs.sh" "$(. /etc/os-release && echo "${VERSION_CODENAME:-sid}")" "$peers/deb/patchelf" patchelf || return
        dpkg-deb --extract "$(find "$peers/deb/patchelf" -name 'patchelf_*.deb' | sort | tail -n 1)" "$peers/patchelf"
    fi
    echo "$peers/patchelf/usr/bin/patchelf"
}

# unpack SUITE: the runtimes with all that they depend on, in a folder of their own.
unpack() {
    root=$peers/$1.new
    rm -rf "$root" "$peers/deb/$1"
    mkdir -p "$root/bin"
    sh "$top/native-shim/fetch-debs.sh" --with-dependencies "$1" "$peers/deb/$1" crun runc || return
    for deb in "$peers/deb/$1"/*.deb; do
        dpkg-deb --extract "$deb" "$root" || return
    done
    # The paths in the programs are those after the folder got its name.
    libraries=$(find "$root" -name '*.so.*' ! -path '*/gconv/*' -exec dirname {} + | sort -u | sed "s|^$root|$peers/$1|" | paste -sd:)
    loader=$(find "$root" -name 'ld-linux*.so.*' -type f | head -n 1 | sed "s|^$root|$peers/$1|")
    for name in crun runc; do
        program=$(find "$root/usr" -path "*bin/$name" -type f | head -n 1)
        cp "$program" "$root/bin/$name"
        "$patchelf" --set-interpreter "$loader" --force-rpath --set-rpath "$libraries" "$root/bin/$name" || return
    done
    rm -rf "$peers/$1" "$peers/deb/$1"
    mv "$root" "$peers/$1"
}

patchelf=$(find_patchelf) || {
    say "patchelf is missing"
    exit 1
}
for suite in "$@"; do
    # A week old is new enough.
    if [ -n "$(find "$peers/$suite/bin/runc" -mtime -7 2>/dev/null)" ]; then
        continue
    fi
    unpack "$suite" || {
        rm -rf "$peers/$suite.new"
        say "crun and runc of Debian $suite are left out"
        continue
    }
    touch "$peers/$suite/bin/runc"
    for name in crun runc; do
        "$peers/$suite/bin/$name" --version >/dev/null || say "$name of Debian $suite does not start here"
    done
done
rm -rf "$peers/deb"
