# SPDX-License-Identifier: LGPL-2.1-only
#
# What is built from the clone: the product, and the rig's own tools.

# The product as it installs itself, in a folder dom0 copies over its root.
stage_product() {
    [ -z "$disk" ] || return 0
    [ -f "$top/Makefile" ] || { say "no Makefile: nothing to install"; return; }
    timed "building and staging the product" quietly "$run/product.log" \
        make_inside "$top" -j"$(nproc)" install DESTDIR="$run/stage" \
        PREFIX=/usr/local SYSV=yes || die "the product could not be built"
}

# make_inside FOLDER ARGUMENT... : make, where programs for dom0 are built, in
# a build folder of the suite's own.
make_inside() {
    local folder=$1
    shift
    inside "$build_root" "$top" "${run:-$top}" -- \
        env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u MAKEOVERRIDES \
        make -C "$folder" B="$(build_folder)" "$@"
}

build_folder() {
    if [ -n "$build_root" ]; then echo "build/$suite"; else echo build; fi
}

build_tools() {
    local guests=$top/tests/guests
    tools=$top/$(build_folder)/rig/tools
    mkdir -p "$tools"
    make_inside "$top" -s -f "$rig/tools/Makefile" SRC="$rig/tools" \
        OUT="$tools" >&2 &&
        make -s -f "$guests/evtchn/Makefile" SRC="$guests/evtchn" \
            OUT="$tools" >&2 || die "the rig's tools could not be built"
}
