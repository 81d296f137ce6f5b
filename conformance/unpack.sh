#!/bin/sh
# Unpacks programs of another Debian suite, with all that they depend on, so that they run here. Nothing is installed.
#
#   unpack.sh SUITE DIRECTORY PROGRAM...       each is the package of its name; they are left in DIRECTORY/bin
#
# They need a newer C library than the machine may have, so their ELF interpreter and library path are set to the unpacked ones: no wrapper
# stands between a caller and the program, and none is measured.
set -eu

[ $# -ge 3 ] || {
    echo "usage: unpack.sh SUITE DIRECTORY PROGRAM..." >&2
    exit 1
}
top=$(cd "$(dirname "$0")/.." && pwd)
suite=$1
mkdir -p "$2"
directory=$(cd "$2" && pwd)
shift 2
new=$directory.new
debs=$directory.deb
trap 'rm -rf "$new" "$debs"' EXIT

# The machine's patchelf, or Debian's, unpacked.
find_patchelf() {
    if command -v patchelf; then
        return
    fi
    patchelf=$top/build/patchelf
    if [ ! -x "$patchelf/usr/bin/patchelf" ]; then
        sh "$top/native-shim/fetch-debs.sh" "$(. /etc/os-release && echo "${VERSION_CODENAME:-sid}")" "$debs" patchelf || return
        dpkg-deb --extract "$(find "$debs" -name 'patchelf_*.deb' | sort | tail -n 1)" "$patchelf"
        rm -rf "$debs"
    fi
    echo "$patchelf/usr/bin/patchelf"
}

rm -rf "$new" "$debs"
mkdir -p "$new/bin"
patchelf=$(find_patchelf)
sh "$top/native-shim/fetch-debs.sh" --with-dependencies "$suite" "$debs" "$@"
for deb in "$debs"/*.deb; do
    dpkg-deb --extract "$deb" "$new"
done
# The paths in the programs are those after the folder got its name.
libraries=$(find "$new" -name '*.so.*' ! -path '*/gconv/*' -exec dirname {} + | sort -u | sed "s|^$new|$directory|" | paste -sd:)
loader=$(find "$new" -name 'ld-linux*.so.*' -type f | head -n 1 | sed "s|^$new|$directory|")
for name in "$@"; do
    program=$(find "$new/usr" -path "*bin/$name" -type f | head -n 1)
    cp "$program" "$new/bin/$name"
    "$patchelf" --set-interpreter "$loader" --force-rpath --set-rpath "$libraries" "$new/bin/$name"
done
rm -rf "$directory"
mv "$new" "$directory"
