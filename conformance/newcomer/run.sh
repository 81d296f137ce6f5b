#!/bin/sh
# What somebody new to the project does, in a Debian where nothing of it is installed: `make demo` and `make test` from a clone. It lies in /root,
# which is closed to others as root's home is, and /tmp is a tmpfs, as on Debian 13.
#
#   run.sh SUITE [COMMAND...]    bookworm, trixie, sid; make demo and make test when there is no command
#
# The root filesystem is made once and kept in build/roots. What a package brings, `make setup` installs in there.
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
suite=${1:?"usage: run.sh SUITE [COMMAND...]"}
shift
[ $# -gt 0 ] || set -- sh -c 'make demo && make test'
root=$top/build/roots/newcomer-$suite

# Debian 12's own Node is too old: the newcomer has installed another, which is this machine's.
bind=
packages="ca-certificates git make"
case $suite in
bookworm) bind=$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")/lib/node_modules ;;
*) packages="$packages nodejs npm" ;;
esac
# shellcheck disable=SC2086
sh "$top/conformance/suites/root.sh" make "$suite" "$root" $packages
if [ -n "$bind" ] && [ ! -e "$root/usr/bin/node" ]; then
    cp "$(readlink -f "$(command -v node)")" "$root/usr/bin/node"
    mkdir -p "$root/usr/lib" "$root/usr/include"
    cp -a "$bind" "$root/usr/lib/"
    [ ! -d /usr/include/node ] || cp -a /usr/include/node "$root/usr/include/"
    ln -sf ../lib/node_modules/npm/bin/npm-cli.js "$root/usr/bin/npm"
fi
# A machine behind a proxy with certificates of its own is behind it there too.
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"

rm -rf "$root/root/reg"
chmod 700 "$root/root"
git clone -q "$top" "$root/root/reg"
git -C "$root/root/reg" checkout -q "$(git -C "$top" rev-parse HEAD)"
exec sh "$top/conformance/suites/root.sh" enter "$root" env -i HOME=/root TERM="${TERM:-dumb}" LANG=C.UTF-8 \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt \
    sh -c 'cd /root/reg && exec "$@"' newcomer "$@"
