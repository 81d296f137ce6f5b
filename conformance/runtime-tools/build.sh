#!/bin/sh
# Builds the OCI validation suite into build/runtime-tools: bin/NAME for each of its programs, and what they need beside them.
#
# The source is Debian's source package (its binary package leaves the suite out), a pinned version. It is compiled with Debian's Go, as root
# installed when missing, in GOPATH mode against Debian's golang-*-dev packages; tap/ stands in for the one library that Debian does not have.
# RUNTIME_TOOLS=DIRECTORY names an unpacked source instead.
set -eu

package=golang-github-opencontainers-runtime-tools
version=0.9.0.109.ge931285
archive=${package}_$version.orig.tar.xz
sha256=203989a1ea98cf2aaced79155bbda09270b20db19b03376dde91ab12e5e6a0fe

say() {
    echo "runtime-tools: $*" >&2
}

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
suite=$top/build/runtime-tools
stamp="${RUNTIME_TOOLS:-} $version $(cat "$here/build.sh" "$here/tap/tap.go" | sha256sum)"
if [ "$(cat "$suite/stamp" 2>/dev/null)" = "$stamp" ]; then
    exit 0
fi

# Debian's names of the libraries that the suite imports.
libraries="golang-github-blang-semver-dev golang-github-google-uuid-dev golang-github-hashicorp-go-multierror-dev
    golang-github-mrunalp-fileutils-dev golang-github-opencontainers-selinux-dev golang-github-opencontainers-specs-dev
    golang-github-sirupsen-logrus-dev golang-github-urfave-cli-dev golang-github-xeipuuv-gojsonschema-dev golang-gocapability-dev
    golang-golang-x-sys-dev"

has_all() {
    command -v go >/dev/null || return
    # shellcheck disable=SC2086
    dpkg-query --show $libraries >/dev/null 2>&1
}

if ! has_all; then
    command -v apt-get >/dev/null || {
        say "only Debian's packages are known here"
        exit 1
    }
    [ "$(id -u)" = 0 ] || {
        say "root is needed to install golang-go" $libraries
        exit 1
    }
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086
    apt-get install -y -qq --no-install-recommends golang-go $libraries >/dev/null 2>&1 || {
        apt-get update -qq
        apt-get install -y -qq --no-install-recommends golang-go $libraries >/dev/null || {
            say "can not install Go and its libraries"
            exit 1
        }
    }
fi

rm -rf "$suite"
gopath=$suite/go
source=$gopath/src/github.com/opencontainers/runtime-tools
mkdir -p "$source" "$suite/bin" "$gopath/src/github.com/mndrix/tap-go"
if [ -n "${RUNTIME_TOOLS:-}" ]; then
    cp -r "$RUNTIME_TOOLS"/. "$source"
else
    # The archive's digest is known here, so it does not matter whether all other files of the source package can be had.
    log=$(sh "$top/native-shim/fetch-debs.sh" --source trixie "$suite" "$package" 2>&1) || true
    [ -f "$suite/$archive" ] || {
        echo "$log" >&2
        say "can not get $archive; unpack it somewhere and say where: RUNTIME_TOOLS=DIRECTORY"
        exit 1
    }
    echo "$sha256  $suite/$archive" | sha256sum --check --status || {
        say "$archive has the wrong digest"
        exit 1
    }
    tar -x -J -f "$suite/$archive" -C "$source" --strip-components=1
fi
cp "$here/tap/tap.go" "$gopath/src/github.com/mndrix/tap-go/"

(
    cd "$source"
    export GOPATH="$gopath:/usr/share/gocode" GO111MODULE=off GOFLAGS= GOCACHE="$suite/cache" CGO_ENABLED=0
    # runtimetest runs inside the containers, where there is no C library.
    go build -ldflags '-s -w' -o "$suite/bin/" ./validation/... ./cmd/runtimetest
    mv "$suite/bin/runtimetest" rootfs-*.tar.gz "$suite"
)
rm -rf "$gopath" "$suite/cache" "$suite"/*.xz "$suite"/*.dsc
echo "$stamp" >"$suite/stamp"
