# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154
#
# The patched hypervisor as a Debian package, for hypervisor/build: the
# distribution's own package xen-hypervisor-V-amd64 with the files and the
# version changed. Reads $release, $debian, $cache, $version, $work, $here.

package=xen-hypervisor-$release-amd64
maintainer="libxl-ext maintainers <maintainers@libxl-ext.invalid>"

# Just above what it is made from, and below each update of that: "+" and a digit
# sorts before "+b1" (rebuilt), "+deb12u1" (security), ".1" and "-2".
package_version() { echo "$version+0xlx$(product_version)"; }

product_version() {
    sed -n 's/^AC_INIT(\[libxl-ext\], \[\(.*\)\])$/\1/p' "$here/../configure.ac"
}

unpack_packaging() {
    rm -rf "$work/debian"
    tar -C "$work" -xf "$cache/xen-src/$version"/*.debian.tar.*
}

# Dated as the entry below it: the same source makes the same bytes.
add_changelog_entry() {
    local log=$work/debian/changelog
    {
        cat <<EOT
xen ($(package_version)) UNRELEASED; urgency=medium

  * The hypervisor only, with memory paging and the patches of libxl-ext.

 -- $maintainer  $(dpkg-parsechangelog -l "$log" -S Date)

EOT
        cat "$log"
    } >"$work/changelog.new"
    mv "$work/changelog.new" "$log"
}

stage_files() {
    local built=$1 boot=$work/stage/boot doc=$work/stage/usr/share/doc/$package
    local name
    mkdir -p "$boot" "$doc" "$work/stage/DEBIAN"
    for name in gz efi; do
        [ ! -e "$built/xen.$name" ] ||
            cp "$built/xen.$name" "$boot/xen-$release-amd64.$name"
    done
    cp "$built/config" "$boot/xen-$release-amd64.config"
    cp "$work/debian/copyright" "$doc/"
    gzip -9nc "$work/debian/changelog" >"$doc/changelog.Debian.gz"
    find "$work/stage/boot" "$work/stage/usr" -type f -exec chmod 644 {} +
    find "$work/stage" -type d -exec chmod 755 {} +
}

stage_scripts() {
    local name
    for name in postinst postrm; do
        perl -wn "$work/debian/template-subst" "$release" amd64 \
            <"$work/debian/xen-hypervisor-V-F.$name.vsn-in" |
            sed '/^#DEBHELPER#$/d' >"$work/stage/DEBIAN/$name"
        chmod 755 "$work/stage/DEBIAN/$name"
    done
}

# Faults of it are not for those who made the original.
stage_control() {
    (cd "$work/stage" && find boot usr -type f | sort | xargs md5sum) \
        >"$work/stage/DEBIAN/md5sums"
    (cd "$work" && dpkg-gencontrol -p"$package" -Pstage -Vmisc:Depends= \
        -DMaintainer="$maintainer" -DArchitecture=amd64 \
        -f"$work/files" >"$work/log" 2>&1) ||
        { cat "$work/log" >&2; die "no control file for the package"; }
}

# From a folder with a build to a package in another; prints its path.
make_package() {
    local built=$1 folder=$2 file
    file=${package}_$(package_version)_amd64.deb
    say "packaging $file"
    unpack_packaging
    add_changelog_entry
    stage_files "$built"
    stage_scripts
    stage_control
    mkdir -p "$folder"
    SOURCE_DATE_EPOCH=$(dpkg-parsechangelog -l "$work/debian/changelog" \
        -S Timestamp) dpkg-deb --root-owner-group -b "$work/stage" \
        "$work/$file" >"$work/log" 2>&1 ||
        { cat "$work/log" >&2; die "the package cannot be made"; }
    mv "$work/$file" "$folder/"
    echo "$(cd "$folder" && pwd)/$file"
}

tell_install_package() {
    cat >&2 <<EOT
hypervisor: to run it on a $debian host, as root:
    apt install $1
    reboot
    xl info | grep xen_extra    # ends in +libxl-ext
  It takes the place of the distribution's $package, and apt
  offers each newer version of that. Back:
    apt install --allow-downgrades $package=$version
  Read docs/hypervisor.md first: upstream calls memory paging experimental.
EOT
}
