# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154
#
# Which source package is built, for hypervisor/build: the newest that the
# host's archives list and that can be had. What it lacks of a newer one is
# told. Reads $release, $suite, $cache, $work and $ask, sets $version.

keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# --- apt -------------------------------------------------------------------

# The archives this host already uses, whatever the format of its source list:
# "URI SUITE" each. The suites of updates are often at another place.
archives() {
    local codename='' names
    codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release || :)
    names="$suite|${codename:-$suite}|stable|oldstable"
    apt-get update --print-uris 2>/dev/null | sed -nE "s#^'([^']*)/dists/\
($names)(-security|-updates|-proposed-updates)?/InRelease'.*#\\1 $suite\\3#p" |
        sort -u
}

# A private apt: the host's sources, lists and settings stay as they are.
write_apt_conf() {
    mkdir -p "$work/apt/lists/partial" "$work/apt/cache/archives/partial"
    cat >"$work/apt/conf" <<EOT
#clear APT::Update;
#clear APT::Default-Release;
Dir::State::lists "$work/apt/lists/";
Dir::Cache "$work/apt/cache/";
Dir::Etc::sourcelist "$work/apt/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
APT::Sandbox::User "root";
APT::Update::Error-Mode "any";
Acquire::Languages "none";
EOT
}

private_apt() {
    apt-get -q -c "$work/apt/conf" "$@" >"$work/apt/log" 2>&1
}

# Lists of packages of a type, deb or deb-src.
read_lists() {
    local signed=''
    [ ! -e "$keyring" ] || signed=" signed-by=$keyring"
    write_apt_conf
    archives | sed "s#^#$1 [arch=amd64$signed] #; s#\$# main#" \
        >"$work/apt/sources.list"
    [ -s "$work/apt/sources.list" ] ||
        die "no Debian archive among this host's apt sources"
    private_apt update
}

why() { sed -nE 's/^[EW]: //p' "$work/apt/log" | head -n 1; }

# --- versions --------------------------------------------------------------

listed_versions() {
    apt-cache -c "$work/apt/conf" showsrc --only-source xen |
        sed -n "s/^Version: \($release\..*\)/\1/p"
}

cached_versions() {
    local folder
    for folder in "$cache/xen-src/$release".*/; do
        [ ! -d "$folder" ] || basename "$folder"
    done
}

newest() {
    local best='' name
    while read -r name; do
        [ -z "$best" ] || dpkg --compare-versions "$name" gt "$best" ||
            continue
        best=$name
    done
    echo "$best"
}

fetch() {
    [ ! -d "$cache/xen-src/$1" ] || return 0
    say "fetching the source package xen $1"
    rm -rf "$work/src"
    mkdir "$work/src"
    (cd "$work/src" && private_apt source --download-only "xen=$1") || {
        say "WARNING: xen $1 is listed, but its source cannot be had: $(why)"
        return 1
    }
    mv "$work/src" "$cache/xen-src/$1"
}

# The newest of the standard input that can be had; empty for none.
take_newest() {
    local left best
    left=$(sort -u)
    while [ -n "$left" ]; do
        best=$(newest <<<"$left")
        if fetch "$best"; then
            echo "$best"
            return
        fi
        left=$(grep -vxF -- "$best" <<<"$left" || :)
    done
}

# --- what it lacks ---------------------------------------------------------

# The security fixes that a changelog has above the entry of a version, as
# "XSA-480  Use after free of paging structures in EPT".
fixes_above() {
    awk -v entry="($1)" '
        $1 == "xen" && $2 == entry { exit }
        $1 ~ /^XSA-[0-9]+$/ { printf "%s  %s\n", $1, title }
        { title = $0; sub(/^ *[-*] /, "", title) }'
}

# The hypervisor's own package is small, and can often be had without its
# source.
changelog_of() {
    local package=xen-hypervisor-$release-amd64
    local path=./usr/share/doc/$package/changelog.Debian.gz
    read_lists deb &&
        (cd "$work" && private_apt download "$package=$1") &&
        dpkg-deb --fsys-tarfile "$work/${package}"_*.deb |
        tar -xO "$path" | gzip -d
}

# A file that names the newer version, then a fix a line.
note_missing() {
    local file=$cache/xen-src/$version.lacks
    rm -f "$file"
    [ "$1" != "$version" ] || return 0
    changelog_of "$1" >"$work/changelog" || : >"$work/changelog"
    {
        echo "$1"
        fixes_above "$version" <"$work/changelog"
    } >"$work/lacks"
    mv "$work/lacks" "$file"
}

tell_missing() {
    local file=$cache/xen-src/$version.lacks newer nr
    [ -e "$file" ] || return 0
    newer=$(head -n 1 "$file")
    nr=$(($(wc -l <"$file") - 1))
    if [ "$nr" -eq 0 ]; then
        say "WARNING: xen $version is built in place of $newer:" \
            "which fixes it lacks is not known, see Debian's changelog of xen"
        return
    fi
    say "WARNING: xen $version is built in place of $newer:" \
        "security fixes that it lacks, of hypervisor and tools: $nr"
    [ "$ask" = no ] || sed '1d; s/^/hypervisor:   /' "$file" >&2
}

# --- all of it -------------------------------------------------------------

# Leaves the source package in the cache and its version in $version. Unless
# the archives are to be asked, what was taken once stays in use, so that later
# builds need no network and do not change on their own.
get_source() {
    local named=$cache/xen-src/$suite.version
    version=$(cat "$named" 2>/dev/null || :)
    [ -n "$version" ] && [ -d "$cache/xen-src/$version" ] || version=
    if [ -z "$version" ] || [ "$ask" = yes ]; then
        ask_archives
        echo "$version" >"$work/version"
        mv "$work/version" "$named"
    fi
    tell_missing
}

ask_archives() {
    local listed
    say "asking the archives for the newest xen of $suite"
    if ! read_lists deb-src; then
        say "WARNING: the archives cannot be read: $(why)"
        [ -n "$version" ] || die "no source package of xen in the cache"
        say "WARNING: xen $version of the cache is built;" \
            "there may be a newer one, with security fixes"
        return
    fi
    grep -q -- " $suite-security " "$work/apt/sources.list" ||
        say "WARNING: this host's apt sources have no $suite-security:" \
            "security updates of xen are not seen"
    listed=$({ listed_versions; cached_versions; } | sed '/^$/d')
    version=$(take_newest <<<"$listed")
    [ -n "$version" ] ||
        die "no source package of xen $release can be had from the archives" \
            "of $suite"
    note_missing "$(newest <<<"$listed")"
}
