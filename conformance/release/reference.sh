#!/bin/sh
# Makes the pages about the library in dist/reference, of the docstrings of runtime/index.ts. typedoc reads TypeScript by a compiler of version 5, in
# JavaScript, and this project has 7: so both are installed apart from it, in build/reference.
set -eu
cd "$(dirname "$0")/../.."
typedoc=0.28.20
typescript=5.9.3
place=build/reference
if [ ! -x "$place/node_modules/.bin/typedoc" ] || [ "$(cat "$place/versions" 2>/dev/null)" != "$typedoc $typescript" ]; then
    mkdir -p "$place"
    echo '{ "private": true }' >"$place/package.json"
    npm install --prefix "$place" --no-audit --no-fund --loglevel=error "typedoc@$typedoc" "typescript@$typescript" >/dev/null
    echo "$typedoc $typescript" >"$place/versions"
fi
# What typedoc complains of is a mistake in a docstring: a link that leads nowhere, a name that is not exported.
"$place/node_modules/.bin/typedoc" --tsconfig tsconfig.json --entryPoints runtime/index.ts --out dist/reference --name "reg, the library" --readme none \
    --disableSources --hideGenerator --excludePrivate --excludeExternals --treatWarningsAsErrors --validation.notExported false \
    --skipErrorChecking --logLevel Warn
echo "dist/reference/index.html"
