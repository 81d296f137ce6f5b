#!/bin/sh
# Makes a Debian root filesystem of the machine's own suite, with the programs of the tests and experiments: build/debian by default.
#
#   debian-root.sh [DIRECTORY [PACKAGE]...]
#
# What is there already is kept. As root; debootstrap is installed when it is missing.
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
root=${1:-$top/build/debian}
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- nginx redis-server redis-tools python3 nodejs perl curl sqlite3 git openssl ca-certificates locales tzdata netbase procps

die() {
    echo "debian-root: $*" >&2
    exit 1
}

[ -e "$root/.complete" ] && exit 0
[ "$(id -u)" = 0 ] || die "needs root"
command -v apt-get >/dev/null || die "only Debian's packages are known here"
command -v debootstrap >/dev/null || apt-get install -y -qq --no-install-recommends debootstrap >/dev/null 2>&1 || {
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends debootstrap >/dev/null
}

suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-sid}")
# The mirror that this machine uses for that suite.
mirror=$(apt-get indextargets --format '$(SITE) $(CODENAME) $(ORIGIN)' | awk -v suite="$suite" '$2 == suite && $3 == "Debian" { print $1; exit }')
[ -n "$mirror" ] || die "apt knows no source of $suite; apt-get update?"

list=$(echo "$@" | tr ' ' ,)
rm -rf "$root.new"
debootstrap --variant=minbase --include="$list" "$suite" "$root.new" "$mirror" >"$root.log" 2>&1 || die "debootstrap failed, see $root.log"
# A locale beside C, for tests that print dates.
[ ! -e "$root.new/usr/share/i18n/locales/de_DE" ] || chroot "$root.new" localedef -i de_DE -f UTF-8 de_DE.UTF-8
rm -rf "$root.new/var/cache/apt/archives"/*.deb "$root.new/var/lib/apt/lists"/*
rm -rf "$root"
mv "$root.new" "$root"
touch "$root/.complete"
