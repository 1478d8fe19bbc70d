# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-only
#
# What both boots of an installed dom0 share. The cases run in this order, each
# in a machine booted anew on the same disk: see tests/rig/installed.

. /rig/lib/rig.sh

tablet=1-3 # plugged in at each boot

step() { echo "ok: $*"; }

# The same guest at each boot: assignments follow its UUID.
start_guest() {
    rig_guest_start g pvh \
        'uuid = "5f1f3f3a-6f0e-4a55-9a6e-2d9f6b7a1c01"'
}

guest_has_tablet() {
    rig_guest_run g 'grep -qs 0627 /sys/bus/usb/devices/*/idVendor'
}

# What evtchn-policy lets a guest know.
vectors_told() {
    xenstore-read "/local/domain/$(rig_domid g)/libxl-ext/vectors"
}

is_told_vectors() { [ "$(vectors_told)" = vif,vbd ]; }

# apt ARGUMENT... : what it prints is of interest only when it fails.
apt() {
    DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends "$@" \
        >"$rig_tmp/apt.log" 2>&1 ||
        { cat "$rig_tmp/apt.log"; rig_fail "apt-get $1"; }
}

install_from() { apt install "$1"/xl-ext_*.deb "$1"/libxl-ext0_*.deb; }

# Files of ours anywhere, but for what package managers keep of removed ones.
our_files() {
    find / -xdev \( -path /proc -o -path /sys -o -path /rig -o -path /tmp -o \
        -path /var/cache -o -path /var/lib/apt \) -prune -o \
        -name '*xl*ext*' -print
    find /run -name '*xl*ext*'
}
