#!/bin/sh
# Installs reg-env: the compiled program with the packages it needs in PREFIX/lib/reg-env, and a launcher in PREFIX/bin.
# Usage: install.sh PREFIX [DESTDIR]
set -eu
prefix=$1
target=${2:-}$prefix/lib/reg-env
rm -rf "$target"
mkdir -p "$target/dist" "${2:-}$prefix/bin"
cp package.json "$target/"
cp -R dist/runtime "$target/dist/"
find "$target/dist" -name '*.test.js' -o -name '*.d.ts' | xargs rm -f
npm ls --omit=dev --all --parseable 2>/dev/null | sed -n "s|^$PWD/||p" | grep '^node_modules/' | sort | while read -r package; do
    mkdir -p "$target/$package"
    cp -R "$package/." "$target/$package/"
done
cat >"${2:-}$prefix/bin/reg-env" <<LAUNCHER
#!/bin/sh
exec node $prefix/lib/reg-env/dist/runtime/reg-env/main.js "\$@"
LAUNCHER
chmod 0755 "${2:-}$prefix/bin/reg-env"
mkdir -p "${2:-}$prefix/lib/systemd/system"
for unit in runtime/reg-env/systemd/*; do
    sed "s|@PREFIX@|$prefix|" "$unit" >"${2:-}$prefix/lib/systemd/system/$(basename "$unit")"
done
