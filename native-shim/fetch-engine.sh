#!/bin/sh
# Leaves the source of the JavaScript engine at build/engine/source.
#
# The engine is QuickJS 2025-04-26, from Debian 13's source package. It is compiled here rather than taken from Debian's libquickjs,
# because a static program starts 0.5 ms sooner with musl than with glibc, twice per container (glibc asks the processor about its
# caches, which a virtual machine answers slowly), and because the sanitizers should see it too.
# QUICKJS=DIRECTORY names an unpacked QuickJS instead.
set -eu

version=2025-04-26
package=2025.04.26-1
archive=quickjs_2025.04.26.orig.tar.xz
sha256=ec81da5b3249ed648dbc7df4a1654988910e66a118d9b71cb63534216efcfbbe

die() {
    echo "fetch-engine: $*" >&2
    exit 1
}

here=$(cd "$(dirname "$0")" && pwd)
engine=$(dirname "$here")/build/engine
stamp="${QUICKJS:-} $version $package"
if [ -f "$engine/source/quickjs.c" ] && [ "$(cat "$engine/stamp" 2>/dev/null)" = "$stamp" ]; then
    exit 0
fi

rm -rf "$engine"
mkdir -p "$engine/source"
if [ -n "${QUICKJS:-}" ]; then
    [ -f "$QUICKJS/quickjs.c" ] || die "QUICKJS=$QUICKJS: there is no quickjs.c"
    cp "$QUICKJS"/*.[ch] "$QUICKJS/VERSION" "$engine/source"
else
    sh "$here/fetch-debs.sh" --source trixie "$engine" "quickjs=$package" ||
        die "cannot get QuickJS $version; unpack it somewhere and say where: QUICKJS=DIRECTORY make build"
    echo "$sha256  $engine/$archive" | sha256sum --check --status || die "$archive has the wrong digest"
    tar -x -J -f "$engine/$archive" -C "$engine/source" --strip-components=1
fi
echo "$stamp" >"$engine/stamp"
