# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-only
#
# What the usb cases share: checks that say what they saw, and the state of
# the host that a command may not change.

. /rig/lib/rig.sh
. /rig/lib/usbip.sh
set -u

guest=usb-guest
plugged=

# plug NAME TYPE [OPTION]... : plugs a device in; its busid is then $NAME.
plug() {
    local name=$1
    shift
    declare -g "$name=$(rig_usb_plug "my-$name" "$@")"
    [ -n "${!name}" ] || exit 1
    plugged+=" $name"
}

unplug() {
    rig_usb_unplug "my-$1" && plugged=${plugged/ $1/}
}

# ip_plug NAME DESCRIPTION [...] : a device of our own (rig_ip_plug); its busid is
# then $NAME.
ip_plug() {
    declare -g "$1=$(rig_ip_plug "$@")"
    [ -n "${!1}" ] || rig_fail "$1 cannot be plugged in"
}

# The next case finds the machine as this one did.
tidy() {
    local status=$? name
    set +e
    [ $status -eq 0 ] || {
        echo "--- processes, the backends' logs, the guest's console:"
        usb_processes
        tail -n 30 /var/log/xen/xl-ext-usb-*.log
        rig_guest_log $guest | tail -n 30
    } 2>/dev/null
    ! rig_domid $guest >/dev/null 2>&1 || rig_guest_stop $guest
    # The last first: what is behind a hub goes before it.
    for name in $(printf '%s\n' $plugged | tac); do unplug "$name"; done
    rig_ip_end_all
}
trap tidy EXIT

# check WHAT COMMAND... : the case fails when COMMAND does.
check() {
    local what=$1
    shift
    "$@" || rig_fail "$what"
    echo "ok: $what"
}

# shows GUEST BUSID [ID [PORT]] : usb-list has that device, plugged in.
shows() {
    local id=${3:-[0-9a-f]+:} port=${4:-[0-9]+}
    xl usb-list "$1" | grep -E "^ +$port +$2 +$id"
}

# says TEXT COMMAND... : COMMAND succeeds and prints TEXT somewhere.
says() {
    local text=$1 out
    shift
    out=$("$@" 2>&1) && [[ $out == *"$text"* ]] && return
    printf '%s\n  said: %s\n  not:  %s\n' "$*" "$out" "$text" >&2
    return 1
}

# refuses TEXT COMMAND... : COMMAND fails with one line that has TEXT.
refuses() {
    local text=$1 out
    shift
    ! out=$("$@" 2>&1) && [[ $out == *"$text"* ]] &&
        [ "$(wc -l <<<"$out")" -eq 1 ] && return
    printf '%s\n  said: %s\n  not:  %s\n' "$*" "$out" "$text" >&2
    return 1
}

# The guest has a device of that vendor:product.
guest_sees() {
    rig_guest_run "$guest" 'cd /sys/bus/usb/devices; for d in *; do
        [ ! -e $d/idVendor ] || echo $(cat $d/idVendor):$(cat $d/idProduct)
    done' | grep -q "$1"
}

has_driver() { [ "$(rig_usb_driver "$1")" = "$2" ]; }

has_no_driver() { ! rig_usb_driver "$1" >/dev/null; }

# processes PATTERN : the pid and the command line of each that matches; fails when
# none does. Forks nothing: processes are dear in an emulated dom0, and each refusal
# is followed by two looks.
processes() {
    local p args found=1
    for p in /proc/[0-9]*; do
        { mapfile -d '' -t args <"$p/cmdline"; } 2>/dev/null || continue
        [[ "${args[*]}" =~ $1 ]] || continue
        echo "${p##*/} ${args[*]}"
        found=0
    done
    return $found
}

usb_processes() {
    local found
    found=$(processes 'xl-ext-usb-backend|qemu-system') && cut -d ' ' -f 2- <<<"$found"
}

no_usb_process() { ! usb_processes; }

drivers() {
    echo /sys/bus/usb/devices/*:*
    find -H /sys/bus/usb/devices/*:* -maxdepth 1 -name driver -printf '%h %l\n'
}

# All that a refused or undone command may not change.
# libxl leaves an empty folder behind once there was a device model; ours, the
# last one in it, takes it away.
state() {
    xenstore-ls -fp | grep -v '^/local/domain/0/device-model = ""'
    drivers
    usb_processes
    find /run/libxl-ext/usb -type f -not -path '*/lock/*' 2>/dev/null
}

unchanged() {
    state >"$rig_tmp/now"
    diff "$rig_tmp/before" "$rig_tmp/now"
}

port_is() { [ "$(xenstore-read "$backend/$1/port/$2")" = "$3" ]; }

# start_guest [LINE]... : a PVH guest without any USB configuration, unless a
# LINE has one. Sets $domid and $backend.
start_guest() {
    rig_guest_start $guest pvh "$@" || rig_fail "the guest does not start"
    domid=$(rig_domid $guest)
    backend=/local/domain/0/backend/qusb/$domid
}

# The same without what is new whenever a guest connects.
state_without_rings() { state | grep -v 'ref = \|event-channel = '; }

# The guest counts the devices that it sees come and go, from now on; dom0 notes
# in $rig_tmp/counts when. $watcher is what notes.
watch_guest() {
    local gfn
    rig_guest_run $guest '(usb-try gone >/run/gone) >/dev/null 2>&1 &'
    rig_wait_for 10 rig_guest_run $guest grep ready /run/gone || return
    gfn=$(rig_guest_run $guest "sed -n 's/^gfn //p' /run/gone")
    [[ $gfn == 0x* ]] || return
    echo "0 0 0" >"$rig_tmp/counts"
    "$rig_tools/guest-counts" "$domid" "$gfn" >>"$rig_tmp/counts" &
    watcher=$!
}

# guest_has_seen COME GONE : without a process, which is dear in an emulated dom0.
guest_has_seen() {
    local lines
    mapfile -t lines <"$rig_tmp/counts"
    [[ ${lines[-1]} == *" $1 $2" ]]
}

# heard_well TEXT : what `listen` counted: each packet that came is right. How many
# were lost is measured: they come 8,000 a second, and a busy host is late.
heard_well() {
    [[ $1 =~ packets=([0-9]+)\ lost=([0-9]+)\ bad=0\ wrong=0\ empty=0 ]] ||
        { echo "$1"; return 1; }
    echo "MEASURE usb_iso_in packets=${BASH_REMATCH[1]} lost=${BASH_REMATCH[2]}"
    [ "${BASH_REMATCH[1]}" -gt 0 ]
}

# heard_all TEXT : the same, and nearly all of them.
heard_all() {
    heard_well "$1" && [ $((BASH_REMATCH[2] * 1000)) -le "${BASH_REMATCH[1]}" ]
}
