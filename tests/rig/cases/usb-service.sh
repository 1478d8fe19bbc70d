# SPDX-License-Identifier: LGPL-2.1-only
#
# The service, by its init script: start, status, restart, stop, and a watcher
# that was killed under it. The guest keeps what it has through all of it.

. ./usb.bash

init=/etc/init.d/libxl-ext-usb

finish() {
    local status=$?
    $init stop
    [ $status -eq 0 ] || cat /var/log/xen/xl-ext-usb.log
    xl usb-assign --list 2>/dev/null | grep -q . &&
        xl usb-unassign $guest --all >/dev/null
    (exit $status)
    tidy
}
trap finish EXIT

# exits STATUS COMMAND...
exits() {
    local want=$1 got=0
    shift
    "$@" || got=$?
    [ $got -eq "$want" ]
}

pid() { $init status | sed -n 's/.*(pid \([0-9]*\)).*/\1/p'; }

plug tablet tablet
start_guest

check "it does not run" exits 3 $init status
check "stopping what does not run is done" $init stop
check "what it does not know" exits 2 $init reload
check "assign" xl usb-assign $guest "$tablet"
check "start" $init start
check "it runs" $init status
first=$(pid)
check "as the watcher" grep -q usb-reconcile "/proc/$first/cmdline"
check "and attaches the device" rig_wait_for 60 has_driver "$tablet" usbfs
check "start again" $init start
check "is still the same" [ "$(pid)" = "$first" ]
check "which lets no other be" refuses "runs already" \
    xl usb-reconcile --watch

check "restart" $init restart
check "is another one" eval '[ -n "$(pid)" ] && [ "$(pid)" != "$first" ]'
check "the first has ended" [ ! -e "/proc/$first" ]
check "the device stays" has_driver "$tablet" usbfs

kill -KILL "$(pid)"
check "killed: it does not run" rig_wait_for 5 exits 3 $init status
check "start after that" $init start
check "detach" xl usb-detach $guest "$tablet"
check "it comes back" rig_wait_for 60 has_driver "$tablet" usbfs
check "stop" $init stop
check "it does not run any more" exits 3 $init status
check "what is attached stays" has_driver "$tablet" usbfs
check "unassign" xl usb-unassign $guest --all
check "the controller goes" xl usb-hc-destroy $guest 0
