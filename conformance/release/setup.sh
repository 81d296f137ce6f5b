#!/bin/sh
# Installs what `make dist` and `make release-check` need beyond `make setup`: Debian packages, as root. With the word arm64 also what builds for that.
set -eu
missing=
cross=
case " $* " in *" arm64 "*) cross="aarch64-linux-gnu-gcc:gcc-aarch64-linux-gnu qemu-aarch64-static:qemu-user-static" ;; esac
# shellcheck disable=SC2086
for pair in $cross dpkg-deb:dpkg-dev fakeroot:fakeroot rpmbuild:rpm strip:binutils lintian:lintian fish:fish cpio:cpio debootstrap:debootstrap; do
    PATH=$PATH:/usr/sbin command -v "${pair%:*}" >/dev/null || missing="$missing ${pair#*:}"
done
[ -z "$cross" ] || [ -d /usr/aarch64-linux-gnu/include/linux ] || missing="$missing linux-libc-dev-arm64-cross"
[ -n "$missing" ] || exit 0
command -v apt-get >/dev/null || {
    echo "release: missing:$missing (Debian's names)" >&2
    exit 1
}
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends $missing >/dev/null 2>&1 || {
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends $missing >/dev/null
}
