# SPDX-License-Identifier: LGPL-2.1-only
#
# A PV disk is in use while the guest's memory is out: its backend, a QEMU or the
# kernel's blkback, maps pages that the guest has granted and nobody has brought.
# Written from such pages and read into such pages, the disk's data is right.

set -eu
. /rig/lib/rig.sh
. /rig/lib/lazy.sh
. /rig/lib/paged.sh

# The disk has the size of the file: a pattern fills it.
disk=$RIG_TMP/disk
truncate -s 16M "$disk"

# in_cache SEED : a pattern is on its way to the disk, and waits in the guest's
# memory until it is told to write.
in_cache() {
    rig_guest_run g "
        pattern write /mem/p 16 $1
        cat /mem/p >/dev/xvda
        sed -n 's/^Dirty: *\([0-9]*\) kB/\1/p' /proc/meminfo" >"$RIG_TMP/dirty"
    [ "$(<"$RIG_TMP/dirty")" -ge 4096 ] ||
        rig_fail "only $(<"$RIG_TMP/dirty") KiB wait to be written"
}

# on_disk SEED : written, and read again from the disk.
on_disk() {
    rig_time "written" rig_guest_run -t 120 g sync || rig_fail "sync"
    rig_time "read" rig_guest_run -t 120 g "
        echo 3 >/proc/sys/vm/drop_caches
        pattern check /dev/xvda $1" || rig_fail "the disk's data"
}

# guest_with BACKENDTYPE TARGET : a guest that writes its disk when it is told to.
guest_with() {
    rig_guest_start g pvh memory=192 \
        "disk = [ 'format=raw,vdev=xvda,backendtype=$1,target=$2' ]"
    # A device that nobody has open is written out when it is closed.
    rig_guest_run g '
        echo 0 >/proc/sys/vm/dirty_writeback_centisecs
        echo 90 >/proc/sys/vm/dirty_background_ratio
        echo 95 >/proc/sys/vm/dirty_ratio
        setsid sleep 100000 0<>/dev/xvda >/dev/null 2>&1 &'
}

# Pages that were granted and mapped before may be taken from a running guest.
use_while_taken() {
    in_cache 7
    paged_take 1 all
    head -n 1 "$paged_answered"
    on_disk 7
    echo "asked by vCPUs: $(paged_asked paused)," \
        "by the backend: $(paged_asked runs)"
    [ "$(paged_asked runs)" -gt 0 ] ||
        rig_fail "the backend met no page that is out"
    paged_in
}

use_while_restored() {
    in_cache 8
    "$rig_xl" save g "$RIG_TMP/save" 2>/dev/null || rig_fail "save"
    # Recording holds the fill back until it is to be finished.
    lazy_restore --record=200s "$RIG_TMP/save"
    domid=$(rig_domid g)
    on_disk 8
    [ "$(lazy_paged_out "$domid")" -gt 0 ] ||
        rig_fail "nothing is out any more"
    xl-ext lazy-finish --quiet g
    lazy_numbers "$domid"
    lazy_complete "$domid" || rig_fail "see above"
    rig_guest_run g 'pattern check /dev/xvda 8 && pattern check /mem/p 8' ||
        rig_fail "when complete"
    rig_guest_stop g
}

echo "QEMU"
guest_with qdisk "$disk"
use_while_taken
use_while_restored

echo "blkback"
# What it keeps mapped cannot be taken, and the guest copies into that.
modprobe xen-blkback feature_persistent=0
modprobe loop
loop=$(losetup -f --show "$disk")
trap 'losetup -d "$loop"' EXIT
guest_with phy "$loop"
use_while_taken
use_while_restored
