#!/bin/sh
# Makes npm's packages: `reg`, the library and reg-env, and `reg-linux-CPU`, the native binary, which is its optional dependency.
# Usage: npm.sh VERSION WORK; dist.sh calls it.
set -eu
cd "$(dirname "$0")/../.."
version=$1 work=$2
rm -rf "$work"
node dist/conformance/release/npm.js "$(echo "$version" | sed 's/~/-/')" "$work"
for package in "$work"/*; do
    (cd "$package" && npm pack --silent --ignore-scripts --pack-destination "$OLDPWD/dist" >/dev/null)
done
