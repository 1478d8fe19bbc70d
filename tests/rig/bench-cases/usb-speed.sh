# SPDX-License-Identifier: LGPL-2.1-only
#
# From usb-attach to the guest seeing the device, and from usb-detach to the
# host's driver having it again: ours, and the distribution's usbdev-attach and
# usbdev-detach on a guest whose configuration has a controller. Also until a backend
# that is started is ready, and until one whose worker or broker is killed has the
# device again. The median of five; measured, not judged.

. /rig/host/cases/usb.bash

rounds=5
plug disk disk
sys=/sys/bus/usb/devices/$disk

# The guest notes its clock when the device is there: it looks every 10 ms, and
# its clock is compared with ours right before.
sight=/run/sight
watch_in_guest() {
    rig_guest_run $guest "rm -f $sight; (until grep -qs 46f4 \
        /sys/bus/usb/devices/*/idVendor; do usleep 10000; done; \
        cut -d ' ' -f 1 /proc/uptime >$sight) >/dev/null 2>&1 &"
}

# Both clocks in ms: the guest's uptime, ours.
guest_ms() {
    awk '{ printf "%d", $1 * 1000 }' <<<"$(rig_guest_run $guest cat "$1")"
}
now_ms() { echo $((${EPOCHREALTIME/./} / 1000)); }
now_us() { echo "${EPOCHREALTIME/./}"; }

# Distance of the clocks: half a round trip is the error.
clock_distance() {
    local before after there
    before=$(now_ms)
    there=$(guest_ms /proc/uptime)
    after=$(now_ms)
    echo $(((before + after) / 2 - there))
}

# measure ATTACH DETACH : prints the milliseconds of each round, a line each.
measure() {
    local round distance start attached
    for ((round = 0; round < rounds; round++)); do
        distance=$(clock_distance)
        watch_in_guest
        start=$(now_ms)
        eval "$1" >/dev/null || rig_fail "$1"
        rig_wait_for 20 rig_guest_run $guest test -s $sight ||
            rig_fail "the guest does not see it"
        attached=$(($(guest_ms $sight) + distance - start))
        start=$(now_ms)
        eval "$2" >/dev/null || rig_fail "$2"
        until has_driver "$disk" usb-storage; do
            [ $(($(now_ms) - start)) -lt 10000 ] ||
                rig_fail "the driver does not come back"
        done
        echo $attached $(($(now_ms) - start))
        rig_wait_for 10 eval "! guest_sees 46f4:0001"
    done
}

# median COLUMN
median() {
    cut -d ' ' -f "$1" | sort -n | sed -n "$((rounds / 2 + 1))p"
}

# --- the backend

program=/usr/local/libexec/libxl-ext/xl-ext-usb-backend

# From its exec to the line with which it tells that it is ready.
start_backend() {
    local line start
    start=$(now_us)
    exec {out}< <(exec "$program" "$domid" /run/libxl-ext /var/log/xen /sys)
    read -r line <&$out
    echo $(($(now_us) - start))
    [ "$line" = ready ] || rig_fail "$line"
    kill "$(cat "/run/libxl-ext/usb/$domid.pid")"
    rig_wait_for 10 no_usb_process
    exec {out}<&-
}

main_pid() { cat "/run/libxl-ext/usb/$domid.pid"; }
# child worker|broker : the worker is the one that is not root.
child() {
    local p kind
    for p in $(cat "/proc/$(main_pid)/task/$(main_pid)/children"); do
        kind=worker
        ! grep -q '^Uid:.0' "/proc/$p/status" || kind=broker
        [ $kind != "$1" ] || echo "$p"
    done
}

# kill_child worker|broker : until another worker has the device.
kill_child() {
    local start worker
    worker=$(child worker)
    start=$(now_us)
    kill -9 "$(child "$1")"
    until [ -n "$(child worker)" ] && [ "$(child worker)" != "$worker" ] &&
        has_driver "$disk" usbfs; do
        [ $(($(now_us) - start)) -lt 20000000 ] || rig_fail "it does not come back"
    done
    echo $(($(now_us) - start))
    rig_wait_for 30 rig_guest_run $guest dd if=/dev/sda of=/dev/null count=1 ||
        rig_fail "the guest cannot read its disk after a kill"
}

# times COMMAND... : the median of as many rounds, in ms.
times() {
    local round
    for ((round = 0; round < rounds; round++)); do "$@"; done | sort -n |
        awk -v n=$((rounds / 2 + 1)) 'NR == n { printf "%.1f", $1 / 1000 }'
}

start_guest
mkdir -p /run/libxl-ext/usb
echo "MEASURE usb_backend_ready_ms $(times start_backend)"
check "attach" xl usb-attach $guest "$disk"
check "a disk in the guest" rig_wait_for 20 rig_guest_run $guest test -e /dev/sda
# Once each: with each death that follows, the pause before the next start doubles.
for part in worker broker; do
    echo "MEASURE usb_backend_killed part=$part" \
        "back_ms=$(rounds=1 times kill_child $part)"
done
check "and away" xl usb-hc-destroy $guest 0

# --- attach and detach

check "make a controller" xl usb-hc-create $guest
ours=$(measure "xl usb-attach $guest $disk" "xl usb-detach $guest $disk")
check "destroy it" xl usb-hc-destroy $guest 0
first=$(rounds=1 measure "xl usb-attach $guest $disk" \
    "xl usb-hc-destroy $guest 0")
rig_guest_stop $guest

start_guest 'usbctrl = ["type=qusb,version=2,ports=8"]'
where="hostbus=$(cat "$sys/busnum") hostaddr=$(cat "$sys/devnum")"
theirs=$(measure "$rig_xl usbdev-attach $guest $where controller=0 port=1" \
    "$rig_xl usbdev-detach $guest 0 1")

printf 'rounds, ms to attach and detach: ours\n%s\ndistribution\n%s\n' \
    "$ours" "$theirs"
echo "MEASURE usb_attach_ms ours=$(median 1 <<<"$ours")" \
    "distribution=$(median 1 <<<"$theirs")" \
    "first_with_backend_start=${first% *}"
echo "MEASURE usb_detach_ms ours=$(median 2 <<<"$ours")" \
    "distribution=$(median 2 <<<"$theirs")"
