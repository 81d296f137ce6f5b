#!/bin/sh
# Installs what `make dist` and `make release-check` need beyond `make setup`: Debian packages, as root.
set -eu
missing=
for pair in dpkg-deb:dpkg-dev fakeroot:fakeroot rpmbuild:rpm strip:binutils lintian:lintian fish:fish cpio:cpio debootstrap:debootstrap; do
    PATH=$PATH:/usr/sbin command -v "${pair%:*}" >/dev/null || missing="$missing ${pair#*:}"
done
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
