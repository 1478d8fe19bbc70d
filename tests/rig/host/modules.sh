# SPDX-License-Identifier: LGPL-2.1-only

# copy_modules KERNEL-ARTEFACT TARGET MODULE... : the modules and what they
# need, with the indexes modprobe reads, into TARGET/lib/modules.
copy_modules() {
    local kernel=$1 target=$2 version
    shift 2
    version=$(cat "$kernel/version")
    mkdir -p "$target/lib/modules/$version"
    cp "$kernel/lib/modules/$version"/modules.{order,builtin,builtin.modinfo} \
        "$target/lib/modules/$version/"
    needed_files "$kernel" "$version" "$@" |
        (cd "$kernel" && cpio -pdm --quiet "$target")
    # Unpacking them takes an emulated machine seconds at each start.
    find "$target/lib/modules" -name '*.ko.xz' -exec xz -d {} +
    /sbin/depmod -b "$target" "$version"
}

needed_files() {
    local kernel=$1 version=$2 name
    shift 2
    for name; do
        /sbin/modprobe -d "$kernel" -S "$version" --show-depends "$name"
    done | sed -n "s|^insmod $kernel/\([^ ]*\).*|\1|p" | sort -u
}

# pack_cpio FOLDER: the folder as an initramfs, on standard output.
pack_cpio() { (cd "$1" && find . | sort | cpio -o -H newc --quiet -R 0:0); }
