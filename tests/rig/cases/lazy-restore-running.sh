# SPDX-License-Identifier: LGPL-2.1-only
#
# A guest runs while its memory comes, and goes on afterwards: it answers, its
# data is right, and it can be saved and restored again, either way.

set -eu
. /rig/lib/rig.sh
. /rig/lib/lazy.sh

check_data() {
    rig_guest_run -t 200 g 'pattern check /mem/p 42' ||
        rig_fail "$what: wrong data $1"
}

check_ticks() {
    local before
    before=$(rig_guest_ticks g)
    rig_wait_for 10 eval "[ \$(rig_guest_ticks g) -gt $before ]" ||
        rig_fail "$what: the guest stands still $1"
}

# come_back RESTORE... : restored and running, while the rest of its memory comes.
come_back() {
    local domid
    rig_time "$what: restore" "$@"
    domid=$(rig_domid g)
    rig_guest_wait g
    echo "$what: answers with $(lazy_field "$domid" "done") of" \
        "$(lazy_field "$domid" held_back) pages"
    check_data "while filling"
    rig_time "$what: fill" xl-ext lazy-wait --quiet g
    lazy_numbers "$domid"
    lazy_complete "$domid" || rig_fail "$what: see above"
    check_data "when complete"
    check_ticks "when complete"
}

# restore_and_run TYPE VCPUS [OPTION...]
restore_and_run() {
    local what="$1, $2 vCPUs" again=$RIG_TMP/again
    lazy_save "$1" "$2"
    come_back lazy_restore "${@:3}" "$lazy_file"

    xl save g "$again" 2>/dev/null || rig_fail "$what: save"
    rig_time "$what: restore eagerly" xl restore "$again" 2>/dev/null
    rig_guest_wait g
    check_data "when restored eagerly"
    check_ticks "when restored eagerly"

    xl save g "$again" 2>/dev/null || rig_fail "$what: second save"
    come_back lazy_restore "$again"
    rig_guest_stop g
    rm "$again"
}

# Without a limit the memory may be there before the guest runs.
restore_and_run pvh 1 --bwlimit=30M
restore_and_run hvm 1
