# SPDX-License-Identifier: LGPL-2.1-only
#
# 100 lazy restores, and a device given to a guest and taken back 1,000 times:
# nothing grows, neither what lies in /run and xenstore, nor the daemons, nor what
# Xen has given away.

. /rig/host/cases/usb.bash
. /rig/lib/lazy.sh

# Before what counts: the first few make folders, caches and logs.
warm_up=5 restores=100 cycles=1000

# Resident pages may come and go; what grows each time is more than these.
kib_spare=1024 mib_spare=2

# of_process NAME PID : how much memory it has, and how many descriptors.
of_process() {
    echo "$1-kib $(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$2/status")"
    echo "$1-fds $(ls "/proc/$2/fd" | wc -l)"
}

# "NAME NUMBER" of all that must not grow.
amounts() {
    local backend_pid=/run/libxl-ext/usb/${domid:-none}.pid
    echo "run-files $(find /run/libxl-ext | wc -l)"
    echo "xenstore-nodes $(xenstore-ls -f / | wc -l)"
    echo "our-processes $(cat /proc/[0-9]*/comm 2>/dev/null | grep -c '^xl-ext')"
    of_process xenstored "$(pidof xenstored oxenstored)"
    [ ! -e "$backend_pid" ] || of_process backend "$(<"$backend_pid")"
}

xen_free() { "$rig_xl" info free_memory; }

start_counting() {
    amounts >"$rig_tmp/amounts"
    free=$(xen_free)
}

# spare NAME : how much more it may be in the end.
spare() { case $1 in *-kib) echo $kib_spare ;; *) echo 0 ;; esac; }

# nothing_grew WHAT
nothing_grew() {
    local name now before grew=0
    # Xen frees the memory of a domain that was destroyed when it has time.
    rig_wait_for 30 eval "[ \$(xen_free) -ge $((free - mib_spare)) ]" ||
        { echo "Xen's free memory: $free MiB, now $(xen_free)"; grew=1; }
    while read -r name now; do
        before=$(sed -n "s/^$name //p" "$rig_tmp/amounts")
        echo "$1: $name: $before, now $now"
        [ "$now" -le $((before + $(spare "$name"))) ] || grew=1
    done < <(amounts)
    [ $grew -eq 0 ] || rig_fail "$1: something grew"
}

# --- lazy restores ----------------------------------------------------------

restore_once() {
    local filling
    lazy_restore "$lazy_file" || return
    filling=$(rig_domid g)
    xl-ext lazy-wait --quiet g && [ "$(lazy_field "$filling" state)" = complete ] &&
        rig_guest_stop g && lazy_no_processes
}

domid=
lazy_save pvh 1 || rig_fail "no guest to restore"
for ((i = 1; i <= warm_up; i++)); do
    restore_once || rig_fail "restore $i of those before"
done
start_counting
started=$SECONDS
for ((i = 1; i <= restores; i++)); do
    restore_once || rig_fail "restore $i"
    [ $((i % 10)) -ne 0 ] || echo "$i restores in $((SECONDS - started)) s"
done
nothing_grew "$restores restores"

# --- attach cycles ----------------------------------------------------------

to_and_fro() {
    # shellcheck disable=SC2154 # plug sets it
    xl usb-attach $guest "$disk" >/dev/null &&
        has_driver "$disk" usbfs && xl usb-detach $guest "$disk" >/dev/null
}

plug disk disk
start_guest
check "a controller" xl usb-hc-create $guest
for ((i = 1; i <= warm_up; i++)); do
    to_and_fro || rig_fail "cycle $i of those before"
done
start_counting
started=$SECONDS
for ((i = 1; i <= cycles; i++)); do
    to_and_fro || rig_fail "cycle $i"
    [ $((i % 100)) -ne 0 ] || echo "$i cycles in $((SECONDS - started)) s"
done
check "the driver is back" has_driver "$disk" usb-storage
nothing_grew "$cycles cycles"
