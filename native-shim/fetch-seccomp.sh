#!/bin/sh
# Leaves the source of libseccomp at build/seccomp/source.
#
# It turns system call filters into programs for the kernel, and knows the numbers of system calls on every machine. It is 2.6.0, from
# Debian 13's source package, compiled here with musl like the engine (see fetch-engine.sh); Debian 12's 2.5.4 is too old for filters of
# hundreds of rules: it has no transactions, and copies the whole filter for each rule.
# Its licence is the LGPL 2.1: who passes the binary on passes on what it takes to link it anew, which is this repository.
# LIBSECCOMP=DIRECTORY names an unpacked libseccomp instead.
set -eu

version=2.6.0
package=2.6.0-2
archive=libseccomp_2.6.0.orig.tar.gz
sha256=83b6085232d1588c379dc9b9cae47bb37407cf262e6e74993c61ba72d2a784dc

die() {
    echo "fetch-seccomp: $*" >&2
    exit 1
}

here=$(cd "$(dirname "$0")" && pwd)
seccomp=$(dirname "$here")/build/seccomp
stamp="${LIBSECCOMP:-} $version $package"
if [ -f "$seccomp/source/include/seccomp.h" ] && [ "$(cat "$seccomp/stamp" 2>/dev/null)" = "$stamp" ]; then
    exit 0
fi

rm -rf "$seccomp"
mkdir -p "$seccomp/source"
if [ -n "${LIBSECCOMP:-}" ]; then
    [ -f "$LIBSECCOMP/src/db.c" ] || die "LIBSECCOMP=$LIBSECCOMP: there is no src/db.c"
    cp -r "$LIBSECCOMP/src" "$LIBSECCOMP/include" "$seccomp/source"
    version=$(sed -nE 's/^AC_INIT\(\[libseccomp\], \[([0-9.]+)\].*/\1/p' "$LIBSECCOMP/configure.ac")
else
    sh "$here/fetch-debs.sh" --source trixie "$seccomp" "libseccomp=$package" ||
        die "cannot get libseccomp $version; unpack it somewhere and say where: LIBSECCOMP=DIRECTORY make build"
    echo "$sha256  $seccomp/$archive" | sha256sum --check --status || die "$archive has the wrong digest"
    tar -x -z -f "$seccomp/$archive" -C "$seccomp/source" --strip-components=1
fi

# What its configure script would find out: the version, and that the kernel's headers have seccomp.h (build.sh says that).
echo "$version" >"$seccomp/source/VERSION"
echo "$version" | {
    IFS=. read -r major minor micro
    sed -e "s/@VERSION_MAJOR@/$major/; s/@VERSION_MINOR@/$minor/; s/@VERSION_MICRO@/$micro/" \
        "$seccomp/source/include/seccomp.h.in" >"$seccomp/source/include/seccomp.h"
}
: >"$seccomp/source/configure.h"
echo "$stamp" >"$seccomp/stamp"
