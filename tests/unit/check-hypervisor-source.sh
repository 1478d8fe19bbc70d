#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-only
# Which source package of Xen hypervisor/build takes, and what it says of the
# security fixes that an older one lacks. Apt is a fake.
set -eu

command -v dpkg >/dev/null || { echo "no dpkg here"; exit 77; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
main=4.17.5+72-g01140da4e8-1
older=4.17.7-0+deb12u1
security=4.17.7+13-g2445b30a44-0+deb12u1

# --- the fake --------------------------------------------------------------

mkdir -p "$dir/bin" "$dir/doc/usr/share/doc/xen-hypervisor-4.17-amd64"
cat >"$dir/bin/apt-get" <<'EOT'
#!/bin/bash
echo "$*" >>"$FAKE/calls"
for last; do :; done
case "$*" in
"update --print-uris")
    cat "$FAKE/uris" ;;
*" update")
    [ ! -e "$FAKE/offline" ] || { echo "E: no route"; exit 100; } ;;
*" source "*)
    [ -e "$FAKE/sources/${last#xen=}" ] || { echo "E: 404 Not Found"; exit 100; }
    touch xen.dsc ;;
*" download "*)
    [ ! -e "$FAKE/no-binary" ] || { echo "E: 404 Not Found"; exit 100; }
    touch xen-hypervisor-4.17-amd64_1_amd64.deb ;;
esac
EOT
cat >"$dir/bin/apt-cache" <<'EOT'
#!/bin/bash
sed 's/^/Version: /' "$FAKE/listed"
EOT
cat >"$dir/bin/dpkg-deb" <<'EOT'
#!/bin/bash
tar -C "$FAKE/doc" -c ./usr
EOT
chmod +x "$dir"/bin/*
gzip -c >"$dir/doc/usr/share/doc/xen-hypervisor-4.17-amd64/changelog.Debian.gz" <<EOT
xen ($security) bookworm-security; urgency=medium

  * Update, which also contains security fixes for the following issues:
     - arbitrary read/write via grant copy
       XSA-523 CVE-2026-102703 CVE-2026-102704
   * Note that the following XSA are not listed, because...
     - XSA-522 has patches for the Linux kernel

 -- Somebody <a@example.org>  Wed, 04 Nov 2026 17:52:28 +0100

xen ($older) bookworm-security; urgency=medium

    - Use after free of paging structures in EPT
      XSA-480 CVE-2026-23554
    - pygrub: security-supported only when run de-privileged
      XSA-508

 -- Somebody <a@example.org>  Sat, 01 Aug 2026 15:23:03 +0200

xen ($main) bookworm-security; urgency=medium

    - x86: Indirect Target Selection
      XSA-469 CVE-2024-28956
EOT

# --- one case --------------------------------------------------------------

reset() {
    rm -rf "$dir/cache" "$dir/sources" "$dir/offline" "$dir/no-binary"
    mkdir -p "$dir/cache/xen-src" "$dir/sources"
    printf '%s\n' "$main" "$security" "$older" >"$dir/listed"
    cat >"$dir/uris" <<'EOT'
'http://a.example/debian/dists/bookworm/InRelease' a 0
'http://a.example/debian/dists/bookworm-updates/InRelease' b 0
'http://b.example/debian-security/dists/bookworm-security/InRelease' c 0
'http://c.example/apt/dists/other/InRelease' d 0
EOT
}

# Takes a source and prints its version; what is said is in $dir/said.
take() (
    export FAKE=$dir PATH="$dir/bin:$PATH"
    # shellcheck disable=SC2034 # read there
    release=${2:-4.17} suite=${3:-bookworm} cache=$dir/cache ask=$1
    work=$(mktemp -d "$dir/work.XXXXXX")
    say() { printf '%s\n' "$*" >>"$dir/said"; }
    die() { say "error: $*"; exit 1; }
    : >"$dir/said"
    : >"$dir/calls"
    # shellcheck source=hypervisor/source.sh
    . hypervisor/source.sh
    get_source 2>>"$dir/said"
    cp "$work/apt/sources.list" "$dir/" 2>/dev/null || :
    echo "$version"
)

bad() {
    echo "$*"
    cat "$dir/said"
    exit 1
}

takes() {
    local taken
    taken=$(take "$1") || bad "nothing taken, wanted $2"
    [ "$taken" = "$2" ] || bad "$taken is taken, wanted $2"
}

said() { grep -qF -- "$1" "$dir/said" || bad "not said: $1"; }
quiet() { [ ! -s "$dir/said" ] || ! grep WARNING "$dir/said" || bad "warned"; }

# --- the cases -------------------------------------------------------------

reset
touch "$dir/sources/$main" "$dir/sources/$older" "$dir/sources/$security"
takes no "$security"
quiet
[ "$(grep -c "^deb-src .*/debian.* bookworm\(-updates\|-security\)* main$" \
    "$dir/sources.list")" = 3 ] || bad "not all archives are asked"
! grep other "$dir/sources.list" || bad "another archive is asked"

# Only older ones can be had: the newest of them, and what it lacks.
reset
touch "$dir/sources/$main" "$dir/sources/$older"
takes yes "$older"
said "$security is listed, but its source cannot be had: 404 Not Found"
said "$older is built in place of $security:"
said "tools: 1"
said "XSA-523  arbitrary read/write via grant copy"
! grep -E 'XSA-(522|480)' "$dir/said" || bad "too much is missing"

reset
touch "$dir/sources/$main"
takes yes "$main"
said "tools: 3"
said "XSA-480  Use after free of paging structures in EPT"
said "XSA-508  pygrub: security-supported only when run de-privileged"
! grep XSA-469 "$dir/said" || bad "what it has is missing"

# Later builds ask nobody, and are not silent.
takes no "$main"
[ ! -s "$dir/calls" ] || bad "the archives are asked: $(cat "$dir/calls")"
said "tools: 3"
touch "$dir/offline"
takes yes "$main"
said "the archives cannot be read: no route"
said "there may be a newer one"
said "tools: 3"
rm "$dir/offline"

# The newer one has come meanwhile.
touch "$dir/sources/$security"
takes yes "$security"
quiet

reset
touch "$dir/sources/$main" "$dir/no-binary"
takes yes "$main"
said "which fixes it lacks is not known"

reset
sed -i '/security/d' "$dir/uris"
touch "$dir/sources/$security"
takes yes "$security"
said "this host's apt sources have no bookworm-security"

# Another release: its own suite and versions only.
reset
trixie=4.20.5+10-gabcdef0123-0+deb13u1
echo "$trixie" >>"$dir/listed"
sed -i 's/bookworm/trixie/' "$dir/uris"
touch "$dir/sources/$main" "$dir/sources/$trixie"
taken=$(take yes 4.20 trixie) || bad "nothing taken"
[ "$taken" = "$trixie" ] || bad "$taken is taken for 4.20"
quiet
rm "$dir/sources/$trixie" && rm -r "$dir/cache/xen-src/$trixie"
! take yes 4.20 trixie >/dev/null || bad "taken although there is none"
said "$trixie is listed, but its source cannot be had: 404 Not Found"
said "error: no source package of xen 4.20 can be had from the archives of trixie"

reset
! take yes >/dev/null || bad "taken although there is none"
said "error: no source package of xen 4.17 can be had"
touch "$dir/offline"
! take yes >/dev/null || bad "taken from nowhere"
said "error: no source package of xen in the cache"
: >"$dir/uris"
! take yes >/dev/null || bad "taken without an archive"
said "error: no Debian archive among this host's apt sources"
