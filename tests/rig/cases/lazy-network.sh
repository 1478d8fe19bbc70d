# SPDX-License-Identifier: LGPL-2.1-only
#
# A PV network is in use while the guest's memory is out: dom0's netback maps and
# copies pages that the guest has granted and nobody has brought. What is sent
# from such pages and received into such pages is right, and dom0 does well.

set -eu
. /rig/lib/rig.sh
. /rig/lib/lazy.sh

guest=10.9.0.2

network_up() {
    modprobe -a xen-netback bridge
    ip link add xenbr0 type bridge
    trap 'ip link del xenbr0' EXIT
    ip addr add 10.9.0.1/24 dev xenbr0
    ip link set xenbr0 up
}

# network_wait : the guest's driver is connected again.
network_wait() {
    rig_time "network" rig_wait_for 60 \
        eval "timeout 2 bash -c ': </dev/tcp/$guest/80' 2>/dev/null" ||
        rig_fail "the guest's network is down"
}

sum() { sha256sum "$1" | cut -d ' ' -f 1; }
guest_sum() { rig_guest_run g "sha256sum $1 | cut -d ' ' -f 1"; }

# The guest's httpd hands its pages on as they are (sendfile).
fetch() {
    exec 5<>/dev/tcp/$guest/80
    printf 'GET /p HTTP/1.0\r\n\r\n' >&5
    sed '1,/^\r$/d' <&5 >"$RIG_TMP/p"
    exec 5>&-
}

# send : what the guest has is what dom0 gets.
send() {
    rig_time "sent" timeout 120 bash -c "$(declare -f fetch)
        guest=$guest RIG_TMP=$RIG_TMP; fetch" || rig_fail "nothing came"
    [ "$(sum "$RIG_TMP/p")" = "$(guest_sum /mem/p)" ] ||
        rig_fail "what the guest sent is wrong"
}

# receive : what dom0 has is what the guest gets.
receive() {
    head -c 4M /dev/urandom >"$RIG_TMP/r"
    rig_guest_run g 'setsid nc -l -p 5000 </dev/null >/mem/r 2>/mem/log &'
    rig_wait_for 20 rig_guest_run g 'netstat -ltn | grep -q :5000' ||
        rig_fail "the guest does not listen"
    rig_time "received" timeout 120 bash -c \
        "cat $RIG_TMP/r >/dev/tcp/$guest/5000" || rig_fail "nothing was sent"
    rig_wait_for 20 eval "! rig_guest_run g pidof nc >/dev/null"
    [ "$(sum "$RIG_TMP/r")" = "$(guest_sum /mem/r)" ] ||
        rig_fail "what the guest received is wrong"
}

# A backend that sleeps where it must not would be told here.
dom0_is_well() {
    dmesg | grep -E 'BUG|scheduling while atomic|Oops|stall' &&
        rig_fail "dom0's kernel, see above"
    return 0
}

dmesg -C
network_up
rig_guest_start g pvh memory=192 "vif = [ 'bridge=xenbr0' ]"
rig_guest_run g "
    ifconfig eth0 $guest up
    httpd -h /mem
    pattern write /mem/p 4 7"
send
"$rig_xl" save g "$RIG_TMP/save" 2>/dev/null || rig_fail "save"

# Recording holds the fill back until it is to be finished.
lazy_restore --record=200s "$RIG_TMP/save"
domid=$(rig_domid g)
network_wait
send
receive
out=$(lazy_paged_out "$domid")
echo "$out pages are out"
[ "$out" -gt 0 ] || rig_fail "nothing is out any more"
dom0_is_well
xl-ext lazy-finish --quiet g
lazy_numbers "$domid"
lazy_complete "$domid" || rig_fail "see above"
send
receive
rig_guest_stop g

# While it fills, and nothing is known of what the guest touches.
rm "$RIG_TMP/save.lzx"
lazy_restore "$RIG_TMP/save"
domid=$(rig_domid g)
network_wait
send
receive
xl-ext lazy-wait --quiet g
lazy_numbers "$domid"
lazy_complete "$domid" || rig_fail "see above"
send
dom0_is_well
rig_guest_stop g
