#!/bin/bash
# Tries the release as those would who install it. Needs root.
#
#   check.sh [--quick] [SUITE...]    bookworm, trixie, sid; with --quick only this machine's suite
#
# - The release is built once more, in a clone in another folder, and compared byte for byte. Without --quick the clone installs its npm packages
#   itself, and a second one is made as well.
# - lintian has no errors and no warnings, publint no complaint, and no file holds a path of the build.
# - In a clean root of each suite, without Node: install, run a container, upgrade under a container that runs, remove, purge (inside.sh).
# - Without --quick also: reg-env where Debian's Node is new enough, and the npm packages in a project of their own.
#
# Ends with `N passed, N failed, N skipped`.
set -uo pipefail
cd "$(dirname "$0")/../.."
export LC_ALL=C.UTF-8

quick=
[[ ${1:-} != --quick ]] || {
    quick=yes
    shift
}
own=$(. /etc/os-release && echo "${VERSION_CODENAME:-sid}")
suites=("$@")
if [[ $# -eq 0 ]]; then
    if [[ -n $quick ]]; then suites=("$own"); else suites=(bookworm trixie sid); fi
fi
[[ $(id -u) = 0 ]] || {
    echo "release-check: needs root" >&2
    exit 1
}
sh conformance/release/setup.sh || exit 1
make --no-print-directory dist || exit 1

version=$(node -p 'require("./package.json").version')
arch=$(dpkg --print-architecture)
arches=${ARCHES:-$arch}
work=$PWD/build/release-check
rm -rf "$work"
mkdir -p "$work"
passed=0 failed=0 skipped=0

# check NAME COMMAND...
check() {
    local name=$1 begin=$SECONDS
    shift
    if "$@" >"$work/log" 2>&1; then
        passed=$((passed + 1))
        echo "ok    $name ($((SECONDS - begin)) s)"
    else
        failed=$((failed + 1))
        echo "FAIL  $name"
        tail -n 30 "$work/log" | sed 's/^/      /'
    fi
}
skip() {
    skipped=$((skipped + 1))
    echo "skip  $1: $2"
}

# rebuild FOLDER: the release from a clone.
rebuild() {
    local folder=$1
    mkdir -p "$(dirname "$folder")"
    git clone -q . "$folder" && git -C "$folder" checkout -q "$(git rev-parse HEAD)" || return
    if [[ -n $quick ]]; then
        cp -a node_modules "$folder/" && mkdir -p "$folder/build" && cp -a build/apt "$folder/build/" && touch "$folder/node_modules/.installed" || return
    fi
    ARCHES=$arches make -C "$folder" --no-print-directory dist
}
same() {
    diff "$1/dist/SHA256SUMS" "$2/dist/SHA256SUMS"
}
twice() {
    rebuild "$work/elsewhere/reg" || return
    if [[ -z $quick ]]; then
        rebuild "$work/a/folder-with-a-longer-name/reg" && same "$work/elsewhere/reg" "$work/a/folder-with-a-longer-name/reg" || return
    fi
    same . "$work/elsewhere/reg"
}

sums() {
    (cd dist && sha256sum --check --quiet SHA256SUMS)
}

# Everything that is packed, unpacked, must not know where it was made.
no_paths() {
    local file place=$work/unpacked
    mkdir -p "$place"
    for file in dist/*_"$arch".deb; do dpkg-deb --raw-extract "$file" "$place/$(basename "$file")" || return; done
    for file in dist/*.tgz dist/*-linux-*.tar.gz; do mkdir "$place/$(basename "$file")" && tar -x -z -C "$place/$(basename "$file")" -f "$file" || return; done
    mkdir "$place/rpm" && (cd "$place/rpm" && rpm2cpio "$OLDPWD"/dist/*.rpm | cpio -i -d --quiet) || return
    ! grep -rlF "$PWD" "$place"
}

lint_packages() {
    lintian --fail-on error,warning --allow-root dist/*_"$arch".deb
}

# older: a package of a lower version, whose binary is another file.
older() {
    mkdir -p "$work/in"
    dpkg-deb --raw-extract "dist/reg_${version}_$arch.deb" "$work/older" &&
        sed -i "s/^Version: .*/Version: 0.1.9/" "$work/older/DEBIAN/control" &&
        echo >>"$work/older/usr/bin/reg" &&
        (cd "$work/older" && find usr -type f -print0 | xargs -0 md5sum >DEBIAN/md5sums) &&
        dpkg-deb --root-owner-group --build "$work/older" "$work/in/older.deb" &&
        cp dist/*_"$arch".deb "$(command -v busybox)" conformance/release/inside.sh "$work/in/"
}

# in_root SUITE STEPS: a clean root of the suite, changed only above it, and the steps in it.
in_root() {
    local suite=$1 steps=$2 root=$PWD/build/roots/clean-$1 layer=$work/$1-$2
    sh conformance/suites/root.sh make "$suite" "$root" || return
    mkdir -p "$layer/upper" "$layer/work" "$layer/merged"
    # shellcheck disable=SC2016
    LAYER=$layer LOWER=$root BIND="$work/in:/in" unshare --mount --propagation private sh -euc '
        mount -t overlay overlay -o "lowerdir=$LOWER,upperdir=$LAYER/upper,workdir=$LAYER/work" "$LAYER/merged"
        exec sh conformance/suites/root.sh enter "$LAYER/merged" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
            HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive sh /in/inside.sh "$@"' sh "$steps" "$version" "$arch"
}

# npm's packages, in a project that has nothing else; the native binary comes from its package.
npm_project() {
    local project=$work/project
    mkdir -p "$project" && cd "$project" || return
    echo '{ "name": "project", "version": "1.0.0", "private": true, "type": "module" }' >package.json
    npm install --no-audit --no-fund "$OLDPWD/dist/reg-linux-x64-$version.tgz" "$OLDPWD/dist/reg-$version.tgz" || return
    npx reg --version | grep -qx "reg version $version" || return
    npx reg-env --help | grep -q generate || return
    cat >program.ts <<'PROGRAM'
import { type ContainerState, create, kill, remove, start, state } from "reg";
const root: string = process.argv[2] ?? "";
const made: ContainerState = create({ id: "release-check-npm", bundle: "bundle", root });
if (made.status !== "created") throw new Error(made.status);
start(made.id, { root });
console.log(state(made.id, { root }).status);
kill(made.id, "KILL", { root });
remove(made.id, { root, force: true });
PROGRAM
    mkdir -p bundle/rootfs/bin && cp "$(command -v busybox)" bundle/rootfs/bin/sleep || return
    npx reg spec --bundle bundle && sed -i -e 's/"terminal": true/"terminal": false/' -e 's/"sh"/"sleep", "1000"/' bundle/config.json || return
    "$OLDPWD/node_modules/.bin/tsc" --ignoreConfig --strict --module nodenext --target es2023 --typeRoots "$OLDPWD/node_modules/@types" --types node program.ts || return
    [[ $(node program.js "$project/state") = running ]]
    local status=$?
    cd "$OLDPWD" || return
    return $status
}

check "checksums" sums
if [[ -n $(git status --porcelain) ]]; then
    skip "built again, the same bytes" "there are changes that are not committed"
else
    check "built again, the same bytes" twice
fi
check "no path of the build" no_paths
check "lintian" lint_packages
check "publint" sh -c 'for package in dist/*.tgz; do node_modules/.bin/publint --strict "$package" || exit; done'
check "an older package" older
for suite in "${suites[@]}"; do
    check "$suite: install, run, upgrade, remove" in_root "$suite" reg
    [[ -z $quick ]] || continue
    case $suite in
    bookworm) skip "$suite: reg-env" "its Node is older than 20" ;;
    *) check "$suite: reg-env" in_root "$suite" reg-env ;;
    esac
done
if [[ -n $quick ]]; then skip "a project with the npm packages" "--quick"; else check "a project with the npm packages" npm_project; fi
[[ $failed -gt 0 ]] || rm -rf "$work"
echo "$passed passed, $failed failed, $skipped skipped"
[[ $failed -eq 0 ]]
