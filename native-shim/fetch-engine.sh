#!/bin/sh
# Leaves the JavaScript engine at build/engine/{include/quickjs.h,lib/libquickjs.a}.
#
# The engine is QuickJS 2025-04-26: the installed one if it is this version, else Debian 13's package libquickjs, downloaded and
# unpacked below build/ (its static library links on Debian 12 too). QUICKJS=PREFIX names a QuickJS installed elsewhere, of any version.
set -eu

version=2025-04-26
package=2025.04.26-1
sha256_amd64=2081ab739beb2070d02633a8e44329fd345dd6dfb49d5d30f8298347c5b04af5

die() {
    echo "fetch-engine: $*" >&2
    exit 1
}

here=$(cd "$(dirname "$0")" && pwd)
engine=$(dirname "$here")/build/engine
stamp="${QUICKJS:-} $version $package"

if [ -f "$engine/lib/libquickjs.a" ] && [ -f "$engine/include/quickjs.h" ] && [ "$(cat "$engine/stamp" 2>/dev/null)" = "$stamp" ]; then
    exit 0
fi

# place HEADER ARCHIVE ORIGIN: all files at once, so that an interrupted run leaves nothing that looks finished.
place() {
    rm -rf "$engine.new"
    mkdir -p "$engine.new/include" "$engine.new/lib"
    cp "$1" "$engine.new/include/quickjs.h"
    cp "$2" "$engine.new/lib/libquickjs.a"
    echo "$stamp" >"$engine.new/stamp"
    rm -rf "$engine"
    mv "$engine.new" "$engine"
    echo "engine: QuickJS from $3"
    exit 0
}

# find_in PREFIX NAME: prints the first such file, wherever a distribution puts it.
find_in() {
    find "$1/include" "$1/lib" "$1/lib64" -name "$2" 2>/dev/null | sort | head -n 1
}

if [ -n "${QUICKJS:-}" ]; then
    header=$(find_in "$QUICKJS" quickjs.h)
    archive=$(find_in "$QUICKJS" libquickjs.a)
    [ -n "$header" ] && [ -n "$archive" ] || die "QUICKJS=$QUICKJS: quickjs.h and libquickjs.a are not both there"
    place "$header" "$archive" "$QUICKJS"
fi

for prefix in /usr/local /usr; do
    header=$(find_in "$prefix" quickjs.h)
    archive=$(find_in "$prefix" libquickjs.a)
    [ -n "$header" ] && [ -n "$archive" ] || continue
    # The version is in no header; the library carries it in one of its texts.
    if grep -q -a -F "$version" "$archive"; then
        place "$header" "$archive" "$archive"
    fi
done

command -v dpkg-deb >/dev/null ||
    die "QuickJS $version is neither installed nor to be had from Debian here; build it and say where: QUICKJS=/usr/local make build"

downloads=$engine.deb
rm -rf "$downloads"
mkdir -p "$downloads/root"
sh "$here/fetch-debs.sh" trixie "$downloads" "libquickjs=$package" ||
    die "cannot get libquickjs $package of Debian 13; QUICKJS=PREFIX names one that is installed"
deb=$(find "$downloads" -maxdepth 1 -name 'libquickjs_*.deb')
if [ "$(dpkg --print-architecture)" = amd64 ]; then
    echo "$sha256_amd64  $deb" | sha256sum --check --status || die "libquickjs $package has the wrong digest: $(sha256sum "$deb" | cut -d' ' -f1)"
fi
dpkg-deb --extract "$deb" "$downloads/root"
header=$(find_in "$downloads/root/usr" quickjs.h)
archive=$(find_in "$downloads/root/usr" libquickjs.a)
[ -n "$header" ] && [ -n "$archive" ] || die "libquickjs $package does not hold quickjs.h and libquickjs.a"
trap 'rm -rf "$downloads"' EXIT
place "$header" "$archive" "Debian's libquickjs $package"
