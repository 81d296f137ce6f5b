#!/bin/sh
# Downloads packages of another Debian suite, without touching the machine's own package lists.
#
#   fetch-debs.sh [--with-dependencies | --source] SUITE DIRECTORY PACKAGE[=VERSION]...
#
# Leaves the .deb files in DIRECTORY, or with --source the upstream archive of the source package. The archive's address and key are those of the machine's own sources with the suite's name
# replaced; DEB_ARCH names another architecture; lists and cache stand below build/apt/SUITE. apt checks the archive's signature and every file's digest. No root needed.
set -eu

die() {
    echo "fetch-debs: $*" >&2
    exit 1
}

mode=
case ${1:-} in --with-dependencies | --source)
    mode=${1#--}
    shift
    ;;
esac
[ $# -ge 3 ] || die "usage: fetch-debs.sh [--with-dependencies | --source] SUITE DIRECTORY PACKAGE[=VERSION]..."
suite=$1
directory=$2
shift 2

command -v apt-get >/dev/null || die "apt-get is needed to get $* of Debian $suite, and this machine has none"

root=$(cd "$(dirname "$0")/.." && pwd)
type=deb
[ "$mode" != source ] || type=deb-src
apt=$root/build/apt/$suite-$type${DEB_ARCH:+-$DEB_ARCH}
mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$directory"
: >"$apt/status"

# Prints one deb822 entry: the first source of the machine that serves Debian's own `main`, pointing at $suite.
own_source() {
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-sid}")
    for file in /etc/apt/sources.list.d/*.sources; do
        [ -r "$file" ] || continue
        awk -v suite="$suite" -v own="$codename" '
            BEGIN { RS = ""; FS = "\n"; IGNORECASE = 1 }
            {
                uris = suites = components = enabled = ""
                signed = ""; field = ""
                for (i = 1; i <= NF; i++) {
                    if ($i ~ /^#/) continue
                    if ($i ~ /^[ \t]/) { if (field == "signed-by") signed = signed "\n" $i; continue }
                    field = tolower($i); sub(/:.*/, "", field)
                    value = $i; sub(/^[^:]*:[ \t]*/, "", value)
                    if (field == "uris") uris = value
                    if (field == "suites") suites = value
                    if (field == "components") components = value
                    if (field == "enabled") enabled = value
                    if (field == "signed-by") signed = value
                }
                if (enabled == "no" || !has(components, "main")) next
                if (!has(suites, own) && !has(suites, "stable") && !has(suites, "testing") && !has(suites, "sid")) next
                split(uris, uri, /[ \t]+/)
                print "Types: deb\nURIs: " uri[1] "\nSuites: " suite "\nComponents: main"
                if (signed != "") print "Signed-By: " signed
                exit
            }
            function has(list, word) { return (" " list " ") ~ ("[ \t]" word "[ \t]") }
        ' "$file"
    done
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [ -r "$file" ] || continue
        sed -nE 's/^deb[ \t]+(\[[^]]*\][ \t]+)?([^ \t]+)[ \t]+([^ \t]+)[ \t]+(.*[ \t])?main([ \t].*)?$/\1|\2|\3/p' "$file" |
            while IFS='|' read -r options uri own; do
                case $own in "$codename" | stable | testing | sid | unstable) ;; *) continue ;; esac
                printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\n' "$uri" "$suite"
                key=$(echo "$options" | sed -nE 's/.*signed-by=([^] \t]+).*/\1/p')
                [ -z "$key" ] || echo "Signed-By: $key"
                break
            done
    done
}

own_source | awk 'NR > 1 && /^Types:/ { exit } { print }' | sed "s/^Types: deb$/Types: $type/" >"$apt/suite.sources.new"
[ -s "$apt/suite.sources.new" ] || die "no Debian source found in /etc/apt to get $* of Debian $suite from"
if ! cmp -s "$apt/suite.sources.new" "$apt/suite.sources"; then
    rm -f "$apt/updated"
    mv "$apt/suite.sources.new" "$apt/suite.sources"
else
    rm -f "$apt/suite.sources.new"
fi

# Every path of apt's that is written, or that could bring in the machine's own sources and pins, is replaced.
apt_get() {
    set -- -q -q -o "Dir::Etc::SourceList=$apt/suite.sources" -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null \
        -o "Dir::State=$apt" -o "Dir::State::Lists=$apt/lists" -o "Dir::State::status=$apt/status" \
        -o "Dir::Cache=$apt/cache" -o Acquire::Languages=none -o APT::Sandbox::User= -o Acquire::Retries=3 \
        -o "Debug::NoLocking=1" "$@"
    [ -z "${DEB_ARCH:-}" ] || set -- -o "APT::Architecture=$DEB_ARCH" -o "APT::Architectures=$DEB_ARCH" "$@"
    case $suite in sid) set -- -o Acquire::Check-Valid-Until=false "$@" ;; esac
    apt-get "$@" >"$apt/log" 2>&1
}

complain() {
    grep -E '^(E|W|Err)' "$apt/log" | head -n 3 >&2 || true
    die "$*"
}

# Lists are good for a day; a package that is not found in old lists gets new ones.
fresh=$(find "$apt/updated" -mmin -1440 2>/dev/null || true)
if [ -z "$fresh" ]; then
    apt_get update || complain "cannot read the package lists of Debian $suite"
    touch "$apt/updated"
fi

# download PACKAGE...: with dependencies, apt installs into an empty machine, and stops after the downloads.
download() {
    if [ "$mode" = source ]; then
        (cd "$directory" && apt_get source --download-only --tar-only "$@")
    elif [ -n "$mode" ]; then
        rm -f "$apt"/cache/archives/*.deb
        apt_get install --yes --download-only --no-install-recommends "$@" &&
            mv "$apt"/cache/archives/*.deb "$directory"
    else
        (cd "$directory" && apt_get download "$@")
    fi
}

if ! download "$@"; then
    [ -n "$fresh" ] || complain "cannot download $* of Debian $suite"
    apt_get update || complain "cannot read the package lists of Debian $suite"
    download "$@" || complain "cannot download $* of Debian $suite"
fi
