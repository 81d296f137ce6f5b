#!/bin/sh
# Leaves the source of the JavaScript engine at build/engine/source.
#
# The engine is QuickJS-NG, the QuickJS that is kept: faults of its memory are mended and released every month. It comes from Debian's source
# package, and is compiled here rather than taken from Debian's library, because a static program starts 0.5 ms sooner with musl than with
# glibc, twice per container (glibc asks the processor about its caches, which a virtual machine answers slowly), because of immortal.sed, and
# because the sanitizers should see it too.
# QUICKJS=DIRECTORY names an unpacked QuickJS-NG instead.
set -eu

version=0.16.2
package=0.16.2-2~bpo13+1
suite=trixie-backports
archive=quickjs-ng_0.16.2.orig.tar.gz
sha256=6ee0c983477c9b145909d873ed1a57422001927f7706b63859abf8e816d2d88c

die() {
    echo "fetch-engine: $*" >&2
    exit 1
}

here=$(cd "$(dirname "$0")" && pwd)
engine=$(dirname "$here")/build/engine
stamp="${QUICKJS:-} $version $package $(cksum <"$here/immortal.sed")"
if [ -f "$engine/source/quickjs.c" ] && [ "$(cat "$engine/stamp" 2>/dev/null)" = "$stamp" ]; then
    exit 0
fi

rm -rf "$engine"
mkdir -p "$engine/source"
if [ -n "${QUICKJS:-}" ]; then
    [ -f "$QUICKJS/quickjs.c" ] || die "QUICKJS=$QUICKJS: there is no quickjs.c"
    cp -R "$QUICKJS"/*.[ch] "$QUICKJS/gen" "$engine/source"
else
    sh "$here/fetch-debs.sh" --source "$suite" "$engine" "quickjs-ng=$package" ||
        die "cannot get QuickJS-NG $version; unpack it somewhere and say where: QUICKJS=DIRECTORY make build"
    echo "$sha256  $engine/$archive" | sha256sum --check --status || die "$archive has the wrong digest"
    tar -x -z -f "$engine/$archive" -C "$engine/source" --strip-components=1
fi
sed -nE 's/^#define QJS_VERSION_(MAJOR|MINOR|PATCH) ([0-9]+)$/\2/p' "$engine/source/quickjs.h" | paste -s -d . >"$engine/source/VERSION"
sed -E -f "$here/immortal.sed" "$engine/source/quickjs.c" >"$engine/quickjs.c"
mv "$engine/quickjs.c" "$engine/source/quickjs.c"
[ "$(grep -cE 'js_(ref|unref|count)\(' "$engine/source/quickjs.c")" -gt 40 ] || die "immortal.sed does not fit this version of quickjs.c"
! grep -qE '(\+\+|--)JS_REF_COUNT|JS_REF_COUNT.*(\+\+|--)' "$engine/source/quickjs.c" ||
    die "a reference count is written that immortal.sed does not know"
! grep -q 'random_state = js__' "$engine/source/quickjs.c" || die "immortal.sed leaves a seed that is the time of the build"
echo "$stamp" >"$engine/stamp"
