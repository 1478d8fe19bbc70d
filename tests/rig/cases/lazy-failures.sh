# SPDX-License-Identifier: LGPL-2.1-only
#
# What is promised when a lazy restore breaks half way (docs/lazy-restore.md):
# no guest that hangs without a word, nothing left of one that is destroyed.
# The pager is stopped before it serves, so all happens in a known order. More
# of it: lazy-storage.sh, lazy-kill.sh.

set -eu
. /rig/lib/rig.sh
. /rig/lib/lazy.sh

state_is() { [ "$(lazy_field "$domid" state)" = "$1" ]; }
has_supervisor() { [ "$(lazy_processes | wc -l)" = 3 ]; }
free_memory() { xl info free_memory; }

check_data() {
    rig_guest_run -t 120 g 'pattern check /mem/p 42' ||
        rig_fail "$1: wrong data"
}

# Of the guest that is destroyed by now.
nothing_left() {
    lazy_no_trace || rig_fail "$1: see above"
    rig_wait_for 10 eval "[ \$(free_memory) -ge $memory ]" ||
        rig_fail "$1: $(free_memory) MiB are free, $memory were"
    ! xl-ext lazy-list | grep -E 'filling|stalled|failed' ||
        rig_fail "$1: it is still listed"
}

destroyed_while_filling() {
    lazy_restore_stopped "$lazy_file"
    xl destroy g
    kill -CONT "$pager"
    nothing_left "destroyed while filling"
}

# fails WHAT : the guest stays as it is: it is not waited for, not saved.
fails() {
    rig_wait_for 20 state_is failed || rig_fail "$1: $(xl-ext lazy-list)"
    xl-ext lazy-list
    lazy_no_processes || rig_fail "$1: see above"
    ! xl-ext lazy-wait g || rig_fail "$1: waited for"
    ! xl save g "$RIG_TMP/saved" || rig_fail "$1: saved"
    [ ! -e "$RIG_TMP/saved" ] || rig_fail "$1: a file was written"
}

# Pager, supervisor and standby: nobody is left.
all_killed() {
    lazy_restore_stopped "$lazy_file"
    has_supervisor || rig_fail "all killed: no supervisor"
    # shellcheck disable=SC2046 # one word a process
    kill -KILL $(lazy_processes | cut -d/ -f3)
    fails "all killed"
    rig_guest_stop g
    nothing_left "all killed"
}

# While the resident pages are restored: libxl fails, and destroys the domain.
# shellcheck disable=SC2016 # for the helper
helper_killed() {
    ! LIBXL_SAVE_HELPER=$(lazy_helper 'kill -KILL $PPID') \
        lazy_restore "$lazy_file" >"$RIG_TMP/said" || rig_fail "helper killed"
    nothing_left "helper killed"
}

# The pager, before it was told that it may serve: another one is told.
# shellcheck disable=SC2016 # for the helper
killed_before_it_ran() {
    LIBXL_SAVE_HELPER=$(lazy_helper 'kill -KILL $pager') \
        lazy_restore "$lazy_file" || rig_fail "killed before it ran"
    xl-ext lazy-wait -q g || rig_fail "killed before it ran: not complete"
    check_data "killed before it ran"
    rig_guest_stop g
}

saved_when_complete() {
    local saver
    lazy_restore_stopped "$lazy_file"
    xl save g "$RIG_TMP/saved" 2>/dev/null &
    saver=$!
    sleep 2
    kill -0 $saver || rig_fail "saved while filling"
    [ ! -e "$RIG_TMP/saved" ] || rig_fail "a file was written while filling"
    kill -CONT "$pager"
    wait $saver || rig_fail "saved while filling: failed"
    xl restore "$RIG_TMP/saved" 2>/dev/null
    check_data "saved while filling"
    rig_guest_stop g
}

# Each restore removes what those before left of guests that are gone.
nothing_grows() {
    local i
    for i in 1 2 3; do
        lazy_restore "$lazy_file" && xl-ext lazy-wait -q g ||
            rig_fail "nothing grows: restore $i"
        rig_guest_stop g
    done
    [ "$(find /run/libxl-ext/lazy -type f | wc -l)" = 1 ] ||
        rig_fail "nothing grows: $(ls -A /run/libxl-ext/lazy)"
}

lazy_save pvh 1
memory=$(free_memory)
for check in nothing_grows destroyed_while_filling all_killed helper_killed \
    killed_before_it_ran saved_when_complete; do
    rig_time "== $check" $check
done
