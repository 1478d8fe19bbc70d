#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-only
# The Debian package of the patched hypervisor: its files, and a version above
# what it is made from and below every update of that.
set -eu

command -v dpkg-gencontrol >/dev/null || { echo "no dpkg-dev here"; exit 77; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
stock=4.17.5+72-g01140da4e8-1

# --- a source package and a build ------------------------------------------

src=$dir/cache/xen-src/$stock
mkdir -p "$src" "$dir/debian" "$dir/built"
for name in xen.gz xen.efi config; do
    echo "$name" >"$dir/built/$name"
done
cat >"$dir/debian/control" <<'EOT'
Source: xen
Maintainer: Somebody else <else@example.org>

Package: xen-hypervisor-4.17-amd64
Architecture: amd64
Depends: ${misc:Depends}
Provides: xen-hypervisor
Description: Xen Hypervisor on AMD64
 The hypervisor.
EOT
cat >"$dir/debian/changelog" <<EOT
xen ($stock) bookworm-security; urgency=medium

  * A change.

 -- Somebody else <else@example.org>  Sat, 29 Nov 2025 14:52:00 +0100
EOT
echo "GPL-2" >"$dir/debian/copyright"
cat >"$dir/debian/template-subst" <<'EOT'
BEGIN { our $v = shift @ARGV; shift @ARGV; }
s/\@version\@/our $v/e;
print;
EOT
for name in postinst postrm; do
    printf '#!/bin/sh\necho @version@\n#DEBHELPER#\n' \
        >"$dir/debian/xen-hypervisor-V-F.$name.vsn-in"
done
tar -C "$dir" -cJf "$src/xen_4.17.5.debian.tar.xz" debian

make_in() (
    # shellcheck disable=SC2034 # read there
    release=4.17 version=$stock cache=$dir/cache here=hypervisor
    work=$(mktemp -d "$dir/work.XXXXXX")
    say() { :; }
    die() { echo "error: $*" >&2; exit 1; }
    # shellcheck source=hypervisor/package.sh
    . hypervisor/package.sh
    make_package "$dir/built" "$1"
)

bad() { echo "$*"; exit 1; }

# --- what it is ------------------------------------------------------------

deb=$(make_in "$dir/out")
made=$(dpkg-deb -f "$deb" Version)
[ "$(basename "$deb")" = "xen-hypervisor-4.17-amd64_${made}_amd64.deb" ] ||
    bad "its file is $deb"
dpkg --compare-versions "$made" gt "$stock" || bad "$made is not above $stock"
for later in "$stock+b1" "$stock+deb12u1" "$stock.1" "${stock%1}2" \
    4.17.5+80-g0123456789-0+deb12u1 4.17.7-0+deb12u1; do
    dpkg --compare-versions "$made" lt "$later" ||
        bad "$made would hide the update $later"
done
[ "$(dpkg-deb -f "$deb" Package)" = xen-hypervisor-4.17-amd64 ] ||
    bad "apt would not know it as the distribution's"
! dpkg-deb -f "$deb" Maintainer | grep else ||
    bad "its faults go to the distribution"

dpkg-deb -R "$deb" "$dir/root"
for name in gz efi; do
    [ "$(cat "$dir/root/boot/xen-4.17-amd64.$name")" = "xen.$name" ] ||
        bad "no xen.$name"
done
[ "$(cat "$dir/root/boot/xen-4.17-amd64.config")" = config ] || bad "no config"
zcat "$dir/root/usr/share/doc/xen-hypervisor-4.17-amd64/changelog.Debian.gz" |
    head -n 1 | grep -qF "xen ($made)" || bad "its changelog does not say so"
[ "$("$dir/root/DEBIAN/postinst")" = 4.17 ] || bad "no postinst"
(cd "$dir/root" && md5sum --quiet -c DEBIAN/md5sums) || bad "its checksums"
[ -z "$(find "$dir/root/boot" "$dir/root/usr" -type f -perm /111)" ] ||
    bad "a file is executable"

# --- twice the same, and without what the linker could not make --------------

cmp "$deb" "$(make_in "$dir/again")" || bad "another package of the same build"
rm "$dir/built/xen.efi"
dpkg-deb -c "$(make_in "$dir/noefi")" | grep -q 'efi$' && bad "efi from nowhere"
:
