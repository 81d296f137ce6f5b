#!/bin/sh
# Makes the release in dist/, from what `make build man` has built:
#
#   reg-VERSION-linux-ARCH.tar.gz    bin/ and share/, to be unpacked below /usr/local
#   reg-VERSION-source.tar.gz        the commit
#   reg_VERSION_ARCH.deb, reg-env_VERSION_ARCH.deb, reg-VERSION-1.MACHINE.rpm
#   reg-VERSION.tgz, reg-linux-CPU-VERSION.tgz    for npm
#   reg-VERSION.cdx.json, THIRD-PARTY.txt, SHA256SUMS
#
# The same commit gives the same bytes, wherever it is built, with the same compilers: times are the commit's, owners are root, names are sorted, and no path of
# the build is in a program. ARCHES="amd64 arm64" makes the binary's packages for another machine too (native-shim/fetch-cross.sh).
set -eu
cd "$(dirname "$0")/../.."
umask 022
export LC_ALL=C.UTF-8 TZ=UTC

die() {
    echo "dist: $*" >&2
    exit 1
}
for program in dpkg-deb fakeroot rpmbuild strip; do
    command -v "$program" >/dev/null || die "$program is missing; as root: sh conformance/release/setup.sh"
done

version=$(node -p 'require("./package.json").version')
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)} || die "neither a git checkout nor SOURCE_DATE_EPOCH tells the time of the release"
export SOURCE_DATE_EPOCH="$epoch"
commit=$(git describe --always --dirty --abbrev=12 --exclude='*' 2>/dev/null || true)
if [ -n "$commit" ] && ! build/reg --version | grep -qx "commit: $commit"; then
    sh native-shim/build.sh # it was built before the last commit, which it is to name
fi
case $(uname -m) in
x86_64) arch=amd64 ;;
aarch64) arch=arm64 ;;
*) die "unknown machine: $(uname -m)" ;;
esac
arches=${ARCHES:-$arch}
work=build/release
rm -rf "$work"
mkdir -p "$work"
rm -f dist/reg_*.deb dist/reg-env_*.deb dist/*.rpm dist/*.tar.gz dist/*.tgz dist/*.cdx.json dist/THIRD-PARTY.txt dist/SHA256SUMS

# settle DIRECTORY: times and modes that are nobody's.
settle() {
    find "$1" -type d -exec chmod 0755 {} +
    find "$1" -exec touch --no-dereference --date="@$epoch" {} +
}

# archive DIRECTORY NAME: a tar archive of DIRECTORY/NAME.
archive() {
    settle "$1/$2"
    tar --create --directory "$1" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$epoch" --format=gnu "$2" | gzip -9n >"dist/$2.tar.gz"
}

echo "== reg $version for $arches"
stage=$work/stage
sh runtime/reg-env/install.sh /usr "$PWD/$stage/reg-env"
node dist/conformance/release/components.js "$version" "$work"
cp "$work/THIRD-PARTY.txt" "$work/reg-$version.cdx.json" dist/

# binary ARCH: what has nothing but the static binary in it, for that machine.
binary() {
    REG=build/reg
    if [ "$1" != "$arch" ]; then
        REG=build/$1/reg
        ARCH=$1 sh native-shim/build.sh
    fi
    export REG
    name=reg-$version-linux-$1
    sh runtime/cli/install.sh "/usr/local" "$PWD/$work/local-$1"
    mkdir -p "$work/tar/$name"
    mv "$work/local-$1/usr/local"/* "$work/tar/$name/"
    cp "$work/THIRD-PARTY.txt" "$work/tar/$name/share/doc/reg/"
    archive "$work/tar" "$name"
    sh runtime/cli/install.sh /usr "$PWD/$stage/$1/reg"
    sh conformance/release/deb.sh reg "$version" "$1" "$stage/$1/reg" "$work/deb/$1"
    sh conformance/release/rpm.sh "$version" "$1" "$stage/$1/reg" "$work/rpm/$1"
    sh conformance/release/npm.sh native "$version" "$1" "$work/npm/$1"
    unset REG
}
for each in $arches; do binary "$each"; done

if git rev-parse --quiet --verify HEAD >/dev/null; then
    git archive --format=tar --prefix="reg-$version/" HEAD | gzip -9n >"dist/reg-$version-source.tar.gz"
fi

sh conformance/release/deb.sh reg-env "$version" "$arch" "$stage/reg-env" "$work/deb/$arch"
sh conformance/release/npm.sh library "$version" "$arch" "$work/npm/library"
(cd dist && find . -maxdepth 1 -type f \( -name '*.deb' -o -name '*.rpm' -o -name '*.tar.gz' -o -name '*.tgz' -o -name '*.cdx.json' -o -name THIRD-PARTY.txt \) \
    -printf '%P\n' | sort | xargs sha256sum >SHA256SUMS)
(cd dist && cut -d' ' -f3- SHA256SUMS | xargs ls -l SHA256SUMS | awk '{ printf "%10d  dist/%s\n", $5, $9 }')
