# SPDX-License-Identifier: LGPL-2.1-only
#
# What every other case rests on: guests of both kinds start, answer, and come
# back from a save file, without anything of ours.

set -eu
. /rig/lib/rig.sh

for type in pvh hvm; do
    rig_time "$type: create to first answer" rig_guest_start g $type memory=256
    rig_guest_run g 'uname -r; grep -c . /proc/cpuinfo; lsmod | grep xen_hcd' ||
        rig_fail "$type: no answer"
    status=0
    rig_guest_run g 'echo to stderr >&2; exit 7' || status=$?
    [ $status = 7 ] || rig_fail "$type: exit status $status"
    rig_guest_run g 'pattern write /mem/p 64 42'
    before=$(rig_guest_ticks g)

    rig_time "$type: save" xl save g "$RIG_TMP/g.save"
    rig_time "$type: restore" xl restore -p "$RIG_TMP/g.save"
    rig_time "$type: compare" rig_compare g "$RIG_TMP/g.save" ||
        rig_fail "$type: pages differ"
    xl unpause g
    rig_time "$type: answer" rig_guest_wait g
    rig_guest_run g 'pattern check /mem/p 42' || rig_fail "$type: memory"
    rig_wait_for 10 eval "[ \$(rig_guest_ticks g) -gt $before ]" ||
        rig_fail "$type: the guest stands still"
    xl pause g
    ! rig_compare g "$RIG_TMP/g.save" ||
        rig_fail "$type: a guest that ran has the very same memory"
    rig_guest_stop g
    rm "$RIG_TMP/g.save"
done
