# SPDX-License-Identifier: LGPL-2.1-only
#
# The Debian releases that the rig can boot, and all that differs between them
# for it: the release of Xen, which is part of the names of packages.

suites='bookworm trixie'
default_suite=bookworm

# The outer machine's QEMU comes from this one, whatever dom0 is: its patches
# (qemu/) are made for that version.
outer_suite=bookworm

# The release of Xen that hypervisor/build builds unless it is told another.
patched_xen=4.17

# choose_suite NAME : sets suite and xen_release, also for artefact builders.
choose_suite() {
    case $1 in
    bookworm) xen_release=4.17 ;;
    trixie) xen_release=4.20 ;;
    *) die "unknown suite '$1'; there are: $suites" ;;
    esac
    export suite=$1
}

# Guests may run the newest kernel that the archive has. Its headers' programs
# run on the release for which it was made.
newest_kernel_suite=trixie-backports
newest_kernel_host=trixie

# Whether this host runs the suite, so that what dom0 runs can be built here.
host_is_suite() {
    [ "$(. /etc/os-release && echo "${VERSION_CODENAME:-}")" = "$suite" ]
}
