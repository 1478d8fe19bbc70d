# SPDX-License-Identifier: LGPL-2.1-only
#
# What is promised when a lazy restore breaks half way (docs/lazy-restore.md):
# no guest that hangs without a word, nothing left of one that is destroyed.
# The pager is stopped before it serves, so all happens in a known order.

set -eu
. /rig/lib/rig.sh
. /rig/lib/lazy.sh

state_is() { [ "$(lazy_field "$domid" state)" = "$1" ]; }
is_paused() { xl list g | grep -q -- ' --p--- '; }
has_supervisor() { [ "$(lazy_processes | wc -l)" = 2 ]; }
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

# Then it goes on with a file of which three quarters are missing.
restore_from_short_file() {
    cp "$lazy_file" "$RIG_TMP/file"
    lazy_restore_stopped "$RIG_TMP/file"
    truncate -s $(($(stat -c %s "$lazy_file") / 4)) "$RIG_TMP/file"
    kill -CONT "$pager"
}

stall() {
    restore_from_short_file
    rig_wait_for 30 state_is stalled || rig_fail "$1: $(xl-ext lazy-list)"
    xl-ext lazy-list
    is_paused || rig_fail "$1: the guest is not paused"
    lazy_field "$domid" reason | grep 'gfn 0x.*read of the image' ||
        rig_fail "$1: $(lazy_field "$domid" reason)"
}

goes_on_when_file_is_back() {
    stall "file cut short"
    grep stalled "/var/log/xen/xl-ext-lazy-$domid.log" || rig_fail "no log"
    cat "$lazy_file" >"$RIG_TMP/file"
    xl-ext lazy-wait -q g || rig_fail "file back: $(xl-ext lazy-list)"
    check_data "file back"
    lazy_complete "$domid" || rig_fail "file back: see above"
    rig_guest_stop g
}

destroyed_while_stalled() {
    stall "file cut short again"
    rig_guest_stop g
    nothing_left "destroyed while stalled"
}

destroyed_while_filling() {
    lazy_restore_stopped "$lazy_file"
    xl destroy g
    kill -CONT "$pager"
    nothing_left "destroyed while filling"
}

# fails WHAT : the guest stays as it is: it is not waited for, not saved.
fails() {
    rig_wait_for 10 state_is failed || rig_fail "$1: $(xl-ext lazy-list)"
    xl-ext lazy-list
    lazy_no_processes || rig_fail "$1: see above"
    ! xl-ext lazy-wait g || rig_fail "$1: waited for"
    ! xl save g "$RIG_TMP/saved" || rig_fail "$1: saved"
    [ ! -e "$RIG_TMP/saved" ] || rig_fail "$1: a file was written"
}

# It tries to read what is missing, so it is there for as long as needed.
killed() {
    restore_from_short_file
    rig_wait_for 10 has_supervisor ||
        rig_fail "pager killed: no supervisor"
    kill -KILL "$pager"
    fails "pager killed"
    is_paused || rig_fail "pager killed: the guest is not paused"
    rig_guest_stop g
    nothing_left "pager killed"
}

# Stopped as it is, it has no supervisor yet.
killed_alone() {
    lazy_restore_stopped "$lazy_file"
    kill -KILL "$pager"
    fails "pager without supervisor killed"
    rig_guest_stop g
    nothing_left "pager without supervisor killed"
}

# While the resident pages are restored: libxl fails, and destroys the domain.
# shellcheck disable=SC2016 # for the helper
killed_before_it_ran() {
    local victim
    for victim in '$PPID' '$pager'; do
        ! LIBXL_SAVE_HELPER=$(lazy_helper "kill -KILL $victim") \
            lazy_restore "$lazy_file" >"$RIG_TMP/said" || rig_fail "$victim"
        nothing_left "$victim killed"
    done
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

lazy_save pvh 1
memory=$(free_memory)
for check in goes_on_when_file_is_back destroyed_while_stalled \
    destroyed_while_filling killed killed_alone killed_before_it_ran \
    saved_when_complete; do
    rig_time "== $check" $check
done
