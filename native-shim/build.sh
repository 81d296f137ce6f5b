#!/bin/sh
# Builds build/reg, the static binary: the TypeScript bundled, compiled to bytecode, linked with the shim and the engine.
# Usage: build.sh [OUTPUT]; ARCH=arm64 builds for that, with fetch-cross.sh's compiler and qemu-user; SANITIZE=1 builds with AddressSanitizer and UBSan (not statically, with ffi_test); KEEP_SYMBOLS=1 for perf.
set -eu
cd "$(dirname "$0")/.."
output=${1:-build/${ARCH:+$ARCH/}reg}
flavour=native${SANITIZE:+-sanitize}${ARCH:+-$ARCH}
ar=ar
run= # what runs programs of the machine that is built for: the compiler of bytecode, and the program that makes the snapshot
train= # what runs the training, see training.js; without it the engine is compiled as any program
work=build/$flavour
source=build/engine/source
engine=build/engine/$flavour
seccomp_source=build/seccomp/source
seccomp=build/seccomp/$flavour
rm -rf "$work"
mkdir -p "$work/js" "$(dirname "$output")"

warnings="-std=gnu11 -Wno-c2x-extensions -Wall -Wextra -Werror -Wshadow -Wmissing-prototypes -Wformat=2"
if [ -n "${SANITIZE:-}" ]; then
    cc=${CC:-cc}
    flags="-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer"
    others="-O1 -fsanitize=address -fno-omit-frame-pointer" # what is not ours is only to use memory well: half of the time
    link=-lpthread
    snapshot=
else
    # The kernel's headers stand behind musl's own.
    kernel="-idirafter /usr/include -idirafter /usr/include/$(gcc -print-multiarch)"
    # At the same addresses each time, where that is allowed, as what is hashed by its address is counted too. For another compiler than gcc: not.
    [ -n "${CC:-}" ] || train=$(setarch -R echo setarch -R 2>/dev/null || echo env)
    if [ -n "${ARCH:-}" ]; then
        sh native-shim/fetch-cross.sh "$ARCH"
        . "build/cross/$ARCH/settings"
        train="$train $run"
    fi
    cc="${CC:-musl-gcc} $kernel"
    flags="-O2 -g -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables"
    others=$flags
    link="-static -Wl,--gc-sections"
    [ -n "${KEEP_SYMBOLS:-}" ] || link="$link -s"
    snapshot=0x10000000 bytecode=0x18000000
fi

# What was compiled otherwise is compiled anew. All paths are relative: none of the build gets into the programs.
how=$($cc --version | head -n 1)$cc$others$train
for library in "$engine/libquickjs.a" "$seccomp/libseccomp.a"; do
    [ "$(cat "$library.how" 2>/dev/null)" = "$how" ] || rm -f "$library"
done

# wait_for PROCESS...: until all have ended; a compiler that failed ends the build.
wait_for() {
    for process; do
        wait "$process"
    done
}

# compile_engine [OPTION...]: its objects.
compile_engine() {
    compilers=
    for file in native-shim/engine.c "$source/libregexp.c" "$source/libunicode.c" "$source/dtoa.c"; do
        # shellcheck disable=SC2086
        $cc $others -D_GNU_SOURCE -fwrapv -w -I$source "$@" -c "$file" -o "$engine/$(basename "$file" .c).o" &
        compilers="$compilers $!"
    done
    # shellcheck disable=SC2086
    wait_for $compilers
}

if [ ! -f "$engine/libquickjs.a" ] || [ native-shim/engine.c -nt "$engine/libquickjs.a" ] || [ native-shim/training.js -nt "$engine/libquickjs.a" ]; then
    mkdir -p "$engine"
    rm -f "$engine"/*
    if [ -z "$train" ]; then
        compile_engine
    else
        # An engine that counts, in the engine's own command line, runs the training. gcc finds the counts beside the object that it makes.
        compile_engine -fprofile-generate -fprofile-update=single
        # shellcheck disable=SC2086
        $cc -O1 -D_GNU_SOURCE -w -I$source "$source/qjs.c" "$source/quickjs-libc.c" "$source/gen/repl.c" "$source/gen/standalone.c" \
            "$engine"/*.o -static -lm -lpthread -lgcov -o "$engine/qjs"
        # shellcheck disable=SC2086
        $train "$engine/qjs" native-shim/training.js
        [ -f "$engine/engine.gcda" ]
        compile_engine -fprofile-use
    fi
    $ar rcs "$engine/libquickjs.a" "$engine"/*.o
    echo "$how" >"$engine/libquickjs.a.how"
fi

if [ ! -f "$seccomp/libseccomp.a" ]; then
    mkdir -p "$seccomp"
    compilers=
    for file in "$seccomp_source"/src/*.c; do
        case $file in */arch-syscall-dump.c) continue ;; esac
        # shellcheck disable=SC2086
        $cc $others -D_GNU_SOURCE -DHAVE_LINUX_SECCOMP_H -w -I$seccomp_source -I$seccomp_source/include -c "$file" \
            -o "$seccomp/$(basename "$file" .c).o" &
        compilers="$compilers $!"
    done
    # shellcheck disable=SC2086
    wait_for $compilers
    $ar rcs "$seccomp/libseccomp.a" "$seccomp"/*.o
    echo "$how" >"$seccomp/libseccomp.a.how"
fi

commit=$(git describe --always --dirty --abbrev=12 --exclude='*' 2>/dev/null || true)
node dist/native-shim/table.js "$work/libc-table.h"
node_modules/.bin/esbuild runtime/main.ts --bundle --splitting --format=esm --platform=neutral --target=es2023 \
    --minify --legal-comments=none --metafile="$work/bundle.json" --alias:#host=./runtime/host/shim.ts --main-fields=module,main \
    --alias:#yargs=./runtime/cli/yargs-native.ts --alias:yargs-factory=./node_modules/yargs/build/lib/yargs-factory.js \
    --alias:cliui-core=./node_modules/cliui/build/lib/index.js \
    --define:REG_COMMIT="\"$commit\"" --define:REG_ENGINE="\"$(cat $source/VERSION)\"" \
    --define:REG_LIBSECCOMP="\"$(cat $seccomp_source/VERSION)\"" \
    --outdir="$work/js" --log-level=warning
# shellcheck disable=SC2086,SC2046
{
    # The compiler leaves its memory to the end of the process.
    export ASAN_OPTIONS=detect_leaks=0
    $cc $warnings -O1 -isystem $source native-shim/compile.c -o "$work/compile" "$engine/libquickjs.a" -lm ${SANITIZE:+$flags} ${ARCH:+-static}
    $run "$work/compile" "$work" "$work/js/main.js" $(find "$work/js" -name '*.js' ! -name main.js | sort)
}

# link OUTPUT [SNAPSHOT [OMITTED]...]: everything but the snapshot and the bytecode, which nothing in it points to, gets the same addresses in
# both binaries, as the pointers in it expect. Modules that the snapshot holds are omitted: nobody will load them.
link() {
    sources="native-shim/main.c native-shim/ffi.c native-shim/memory.c native-shim/seal.c $work/modules.S"
    at=
    if [ -n "$snapshot" ]; then
        sources="$sources native-shim/snapshot.S"
        at="-no-pie -Wl,--section-start=.snapshot=$snapshot -Wl,--section-start=.bytecode=$bytecode"
        at="$at -DSNAPSHOT_ADDRESS=$snapshot -DSNAPSHOT_FILE=\"$2\"$(printf ' -Wa,--defsym,omitted%s=1' ${3:-})"
    fi
    # shellcheck disable=SC2086
    $cc $warnings $flags $at -isystem $source -I"$work" -Inative-shim $sources $link "$seccomp/libseccomp.a" "$engine/libquickjs.a" -lm -o "$1"
}

if [ -z "$snapshot" ]; then
    link "$output"
    mkdir "$work/probes"
    node dist/native-shim/table.js "$work/probes/libc-table.h" probes
    # shellcheck disable=SC2086
    $cc $warnings -Wno-missing-prototypes $flags -isystem $source -I"$work/probes" -Inative-shim native-shim/ffi_test.c native-shim/memory.c \
        "$engine/libquickjs.a" -lm $link -o "$work/ffi_test"
else
    printf '%08d' 0 >"$work/empty"
    link "$work/stage1" "$work/empty"
    $run "$work/stage1" "$work/snapshot" >"$work/omitted"
    link "$output" "$work/snapshot" "$(cat "$work/omitted")"
    $run "$output" --version >/dev/null || {
        echo "build.sh: the snapshot does not fit the binary" >&2
        exit 1
    }
fi
