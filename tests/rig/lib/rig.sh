# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-only
#
# What a case can do: `. /rig/lib/rig.sh`. README.md lists the functions.

rig_lib=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
rig_tools=/rig/tools
rig_tmp=${RIG_TMP:-/tmp}
# The distribution's own, also where the product stands before it in PATH.
rig_xl=/usr/sbin/xl
# Nobody writes to it: who reads it, waits.
rig__nothing=/run/rig-nothing

. "$rig_lib/guest.sh"
. "$rig_lib/usb.sh"

# rig_fail MESSAGE : the case has failed.
rig_fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# rig_wait_for SECONDS COMMAND... : tries COMMAND until it succeeds; 1 when it
# did not in that time. What the tries print is lost. The seconds are the
# machine's own: while other work of the host keeps it from running, none passes.
rig_wait_for() {
    local waited until more
    rig__read_waited waited
    until=$((${EPOCHREALTIME/./} + $1 * 1000000))
    shift
    until "$@" >/dev/null 2>&1; do
        if [ "${EPOCHREALTIME/./}" -ge $until ]; then
            rig__read_waited more
            [ "$more" -gt "$waited" ] || return 1
            until=$((until + (more - waited) * 1000)) waited=$more
        fi
        rig__pause 0.1
    done
}

# rig__pause SECONDS : without a process, which is dear in an emulated dom0: the
# runner waits like this beside each case, also beside one that measures.
rig__pause() {
    [ -p "$rig__nothing" ] || mkfifo "$rig__nothing" 2>/dev/null
    read -rt "$1" <>"$rig__nothing" || : # 142: nobody wrote
    return 0
}

# rig__read_waited VARIABLE : the ms that the host kept the machine waiting.
rig__read_waited() {
    read -r "$1" 2>/dev/null </rig/run/waited || printf -v "$1" 0
}

# rig_time LABEL COMMAND... : runs COMMAND and prints `LABEL ... 1.234 s`. The
# microseconds are left in $rig_took.
rig_time() {
    local label=$1 start=${EPOCHREALTIME/./} status=0
    shift
    "$@" || status=$?
    rig_took=$((${EPOCHREALTIME/./} - start))
    printf '%s ... %d.%03d s\n' "$label" $((rig_took / 1000000)) \
        $((rig_took / 1000 % 1000))
    return $status
}

# rig_xen_log : the hypervisor's log, as `xl dmesg` prints it.
rig_xen_log() { "$rig_xl" dmesg; }

# rig_compare DOMAIN SAVEFILE : every page of a paused guest against the file.
rig_compare() {
    "$rig_tools/compare-pages" "$(rig_domid "$1")" "$2"
}
