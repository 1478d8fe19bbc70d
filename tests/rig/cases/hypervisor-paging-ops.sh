# SPDX-License-Identifier: LGPL-2.1-only
#
# The extended paging operations of the patched hypervisor, on a paused guest.
# No memory of the host is lost by it.

set -eu

ops=/rig/tools/paging-ops
guest=paging-ops

fail() { echo "FAILED: $*"; exit 1; }

free_memory() { xl info free_memory; }

create_paused_guest() {
    cat >"$RIG_TMP/guest.cfg" <<EOT
name = "$guest"
type = "pvh"
memory = 256
vcpus = 1
kernel = "/rig/guest/vmlinuz"
ramdisk = "/rig/guest/initrd"
on_crash = "preserve"
EOT
    xl create -p -q "$RIG_TMP/guest.cfg"
}

# Pages of a destroyed domain come back bit by bit.
wait_for_memory() {
    local want=$1 tries=100
    while [ "$(free_memory)" -lt "$want" ]; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || fail "free memory is $(free_memory) MiB, was $want"
        sleep 0.1
    done
    echo "free memory is what it was: $want MiB"
}

no_complaints() {
    ! xl dmesg | grep -E 'Xen BUG|Assertion|order violation|FATAL' ||
        fail "Xen complained"
}

if [ "$RIG_XEN" = stock ]; then
    [ "$("$ops" features)" = ENOSYS ] || fail "a stock Xen has extensions"
    echo "no memory paging in this Xen, and it says so"
    exit 0
fi

# on_guest TOOL [ARGUMENT] : the checks of a tool, on a guest of their own.
on_guest() {
    local tool=$1
    shift
    create_paused_guest
    "$tool" "$(xl domid "$guest")" "$@" || fail "see above"
    no_complaints
    xl destroy "$guest"
    wait_for_memory "$before"
}

before=$(free_memory)
on_guest "$ops"
on_guest "$ops" unwatched
on_guest /rig/tools/paging-ring
