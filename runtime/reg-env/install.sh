#!/bin/sh
# Installs reg-env: the program bundled with the packages it needs in PREFIX/lib/reg-env, a link to it in PREFIX/bin, its man page, completion
# and units for systemd.
# Usage: install.sh PREFIX [DESTDIR]
set -eu
cd "$(dirname "$0")/../.."
prefix=$1
target=${2:-}$prefix
share=$target/share

rm -rf "$target/lib/reg-env"
node dist/runtime/reg-env/build.js "$target/lib/reg-env" "$prefix/bin/reg"
install -d "$target/bin" "$share/man/man8" "$target/lib/systemd/system" "$share/bash-completion/completions" "$share/zsh/site-functions" \
    "$share/fish/vendor_completions.d"
ln -sf ../lib/reg-env/reg-env.mjs "$target/bin/reg-env"
install -m 0644 dist/man/reg-env.8 "$share/man/man8"
install -m 0644 dist/completion/reg-env.bash "$share/bash-completion/completions/reg-env"
install -m 0644 dist/completion/reg-env.zsh "$share/zsh/site-functions/_reg-env"
install -m 0644 dist/completion/reg-env.fish "$share/fish/vendor_completions.d/reg-env.fish"
for unit in runtime/reg-env/systemd/*; do
    sed "s|@PREFIX@|$prefix|g" "$unit" >"$target/lib/systemd/system/$(basename "$unit")"
    chmod 0644 "$target/lib/systemd/system/$(basename "$unit")"
done
