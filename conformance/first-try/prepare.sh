#!/bin/sh
# Makes a Debian root with the programs of programs.ts, and what their tasks read, below /srv of it: build/first-try/root. As root.
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
root=$top/build/first-try/root
suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-sid}")

# shellcheck disable=SC2046
sh "$top/conformance/suites/root.sh" make "$suite" "$root" $(grep -v '^#' "$(dirname "$0")/packages.txt")
[ ! -e "$root/srv/.prepared" ] || exit 0

cp "$(dirname "$0")/tasks.sh" "$root/srv/.tasks.sh"
sh "$top/conformance/suites/root.sh" enter "$root" sh /srv/.tasks.sh
touch "$root/srv/.prepared"
