#!/bin/sh
# Builds build/reg, the static binary: the TypeScript bundled, compiled to bytecode, linked with the shim and the engine.
# Usage: build.sh [OUTPUT]; SANITIZE=1 builds with AddressSanitizer and UBSan instead of statically.
set -eu
cd "$(dirname "$0")/.."
output=${1:-build/reg}
work=build/native${SANITIZE:+-sanitize}
engine=build/engine
rm -rf "$work"
mkdir -p "$work/js"

cc=${CC:-cc}
warnings="-std=gnu11 -Wall -Wextra -Werror -Wshadow -Wmissing-prototypes -Wformat=2"
include="-isystem $engine/include -I$work -Inative-shim"
if [ -n "${SANITIZE:-}" ]; then
    flags="-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer"
    link=
else
    flags="-O2 -ffunction-sections -fdata-sections"
    link="-static -Wl,--gc-sections -Wl,-z,norelro -s"
fi

commit=$(git describe --always --dirty --abbrev=12 --exclude='*' 2>/dev/null || true)
node dist/native-shim/table.js "$work/libc-table.h"
node_modules/.bin/esbuild runtime/main.ts --bundle --splitting --format=esm --platform=neutral --target=es2023 \
    --minify --legal-comments=none --alias:#host=./runtime/host/shim.ts --main-fields=module,main \
    --alias:#yargs=./runtime/cli/yargs-native.ts --alias:yargs-factory=./node_modules/yargs/build/lib/yargs-factory.js \
    --alias:cliui-core=./node_modules/cliui/build/lib/index.js \
    --define:REG_COMMIT="\"$commit\"" --define:REG_ENGINE="\"$(cut -d' ' -f2 $engine/stamp)\"" \
    --outdir="$work/js" --log-level=warning
$cc $warnings -O1 -isystem $engine/include native-shim/compile.c -o "$work/compile" $engine/lib/libquickjs.a -lm -lpthread
"$work/compile" "$work" "$work/js/main.js" $(find "$work/js" -name '*.js' ! -name main.js | sort)
$cc $warnings $flags $include native-shim/main.c native-shim/ffi.c native-shim/seal.c native-shim/memory.c "$work/modules.S" \
    $link $engine/lib/libquickjs.a -lm -lpthread -o "$output"
