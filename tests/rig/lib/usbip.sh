# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-only
#
# USB devices of our own behind dom0's vhci_hcd: tests/rig/usbip, whose main.c
# lists behaviours and commands. They end with the case.

rig_ip_devices=/rig/host/usbip/devices

# rig_ip_plug ID DESCRIPTION [ENDPOINT=BEHAVIOUR | speed=SPEED]... : plugs in a
# device of that description (a file of usbip/devices without .usb), waits until
# dom0 has it, and prints its busid.
rig_ip_plug() {
    local id=$1 description=$rig_ip_devices/$2.usb
    shift 2
    rig_ip_start "$id" "$description" "$@" && rig_ip_again "$id"
}

# rig_ip_start ID FILE [...] : the device, not plugged in.
rig_ip_start() {
    local id=$1 pipe=$rig_tmp/ip-$1
    shift
    modprobe vhci-hcd && mkfifo "$pipe" && : >"$pipe.log" || return
    # It outlives the shell that a case runs this in.
    setsid "$rig_tools/usbip-device" "$@" <>"$pipe" >>"$pipe.log" 2>&1 &
    echo $! >"$pipe.pid"
    rig_ip_tell "$id" stats >/dev/null
}

# rig_ip_again ID : plugs it in, again.
rig_ip_again() {
    local busid
    busid=$(rig_ip_tell "$1" plug) || return
    rig_wait_for 20 test -e "/sys/bus/usb/devices/$busid:1.0" ||
        { echo "usbip: $1 did not appear as $busid" >&2; return 1; }
    echo "$busid"
}

# rig_ip_tell ID COMMAND... : prints what the device answers.
rig_ip_tell() {
    local log=$rig_tmp/ip-$1.log before answer
    before=$(rig_ip__answers -c "$log") || : # none yet
    echo "${*:2}" >"$rig_tmp/ip-$1"
    rig_wait_for 60 eval \
        "[ \$(rig_ip__answers -c '$log') -gt $before ]" ||
        { echo "usbip: $1 does not answer '${*:2}'" >&2; return 1; }
    answer=$(rig_ip__answers -h "$log" | sed -n "$((before + 1))p")
    echo "${answer#ok }"
    [[ $answer == ok* ]]
}

rig_ip__answers() { grep -aE "$1" '^(ok|error)' "$2"; }

# rig_ip_pull ID : pulls it out, and waits until dom0 has noticed. Prints the
# microsecond in which it was pulled.
rig_ip_pull() {
    rig_ip_tell "$1" pull >/dev/null || return
    sed -n 's/^pulled //p' "$rig_tmp/ip-$1.log" | tail -n 1
}

# rig_ip_stat ID ENDPOINT WHAT : a number of `stats`.
rig_ip_stat() {
    rig_ip_tell "$1" stats | tr ';' '\n' |
        sed -n "s/^ *$2:.* $3=\([0-9]*\).*/\1/p"
}

# rig_ip_end ID : the device's program ends.
rig_ip_end() {
    rig_ip_tell "$1" stats >/dev/null
    echo quit >"$rig_tmp/ip-$1"
    rig_wait_for 10 eval "! kill -0 $(<"$rig_tmp/ip-$1.pid")" &&
        rm "$rig_tmp/ip-$1" "$rig_tmp/ip-$1".*
}

# rig_ip_end_all : the devices of this case.
rig_ip_end_all() {
    local pid
    for pid in "$rig_tmp"/ip-*.pid; do
        [ ! -e "$pid" ] || { pid=${pid##*/ip-}; rig_ip_end "${pid%.pid}"; }
    done
}
