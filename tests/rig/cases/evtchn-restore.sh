# SPDX-License-Identifier: LGPL-2.1-only
#
# A Linux guest in whose stead vectors are offered in xenstore: a disk's events
# that go to a vector without a handler wait, and none is lost; the watch goes
# on with the guest after a save and restore.

set -eu
. /rig/lib/rig.sh

disk=$RIG_TMP/disk
truncate -s 16M "$disk"
rig_guest_start g pvh vcpus=2 \
    "disk = [ 'format=raw, vdev=xvda, backendtype=qdisk, target=$disk' ]"

# offer : a vector that Linux has no handler for, and a wish for the disk.
offer() {
    local area
    area=/local/domain/$(rig_domid g)/data/evtchn-vectors
    port=$(xl evtchn-list g | awk '/^ .* vbd.51712/ { print $1 }')
    xenstore-write "$area/version" 1 "$area/vcpu/1" 0xd5 \
        "$area/port/$port" '1 0xd5'
}

# row : the disk's line of the listing.
row() { xl evtchn-list g | grep -E "^ *$port .*vbd/51712"; }
bound() { row | grep -q ' 1  0xd5t '; }
read_in_guest() {
    rig_guest_run g 'rm -f /run/read; echo 3 >/proc/sys/vm/drop_caches
        (head -c 65536 /dev/xvda >/dev/null; echo done >/run/read) &'
}
has_read() { rig_guest_run g 'cat /run/read' | grep -q 'done'; }

offer
row
xl evtchn-bind g "$port" 1 0xd5
bound || rig_fail "not bound: $(row)"
read_in_guest
pending() { row | grep -Eq ' 0xd5t +p'; }
rig_wait_for 20 pending || rig_fail "nothing is pending: $(row)"
has_read && rig_fail "it has read without its events"
xl evtchn-unbind g "$port"
rig_wait_for 20 has_read || rig_fail "an event was lost: $(row)"

xl evtchn-spread g --watch --every=3600 >"$RIG_TMP/watch" 2>&1 &
watch=$!
rig_wait_for 20 bound || rig_fail "$(<"$RIG_TMP/watch")"
xl save g "$RIG_TMP/save"
xl restore "$RIG_TMP/save"
rig_guest_wait g
row | grep ' - .*vbd' || rig_fail "bound by whom? $(row)"
offer
rig_wait_for 20 bound || rig_fail "$(<"$RIG_TMP/watch") $(row)"
kill $watch
wait $watch || rig_fail "the watch ended with $?"
cat "$RIG_TMP/watch"
xl evtchn-unbind g "$port"
read_in_guest
rig_wait_for 20 has_read || rig_fail "the disk is gone"
