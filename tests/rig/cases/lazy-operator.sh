# SPDX-License-Identifier: LGPL-2.1-only
#
# What an operator does to a guest while its memory comes: limit, pause, resume
# and finish the fill, look at it, and everything that xl does to any guest.

set -eu
. /rig/lib/rig.sh
. /rig/lib/lazy.sh

field() { lazy_field "$domid" "$1"; }
state_is() { [ "$(field state)" = "$1" ]; }
node() { xenstore-read "/libxl/$domid/lazy-restore/$1"; }

# One page in the backfill's time: only what the guest touches comes.
restore_paused() {
    lazy_restore --bwlimit=1 "$lazy_file"
    domid=$(rig_domid g)
    rig_wait_for 20 xl-ext lazy-set g --pause ||
        rig_fail "$1: no pager listens"
    state_is filling || rig_fail "$1: it was too late: $(xl-ext lazy-list)"
}

ticks_on() {
    local before
    before=$(rig_guest_ticks g)
    rig_wait_for 10 eval "[ \$(rig_guest_ticks g) -gt $before ]" ||
        rig_fail "$1: the guest stands still"
}

check_data() {
    rig_guest_run -t 120 g 'pattern check /mem/p 42' ||
        rig_fail "$1: wrong data"
}

# Also by those who only read xenstore.
set_and_seen() {
    restore_paused set
    local fill
    xl-ext lazy-list | grep -E "^$domid +g +paused" || rig_fail "not paused"
    [ "$(field bwlimit) $(field paused)" = "1 1" ] || rig_fail "settings"
    rig_wait_for 10 eval '[ "$(node paused)" = 1 ]' || rig_fail "xenstore"
    [ "$(node state)" = filling ] || rig_fail "xenstore: $(node state)"
    xenstore-ls -p "/libxl/$domid" | grep 'lazy-restore.*(n0'
    stat -c '%a %U' "/run/libxl-ext/lazy/$domid.sock" | grep -x '600 root'
    fill=$(field fill_pages)
    rig_guest_wait g
    ticks_on "paused fill"
    [ "$(field fill_pages)" -le $((fill + 1024)) ] || rig_fail "it fills"

    xl-ext lazy-set g --resume
    ! state_is complete || rig_fail "one byte a second is not so fast"
    xl-ext lazy-finish -q g || rig_fail "finish: $(xl-ext lazy-list)"
    check_data finish
    lazy_complete "$domid" || rig_fail "finish: see above"
    [ "$(node state)" = complete ] || rig_fail "xenstore: $(node state)"
    ! xl-ext lazy-set g --pause || rig_fail "nobody was there to be told"
    rig_guest_stop g
    ! xenstore-exists "/libxl/$domid/lazy-restore" || rig_fail "a node is left"
    ! xl-ext lazy-list | grep "^$domid " || rig_fail "it is still listed"
}

# shellcheck disable=SC2181
paused_and_unpaused() {
    local now
    restore_paused pause
    xl list g | grep -w "$domid" || rig_fail "list"
    xl pause g
    xl list g | grep -q -- '-p--- ' || rig_fail "it is not paused"
    now=$(field state)
    [ "$now" = filling ] || rig_fail "paused guest: $now"
    xl unpause g
    rig_guest_wait g
    ticks_on unpause
    xl pause g
    xl-ext lazy-finish -q g || rig_fail "finish of a paused guest"
    xl list g | grep -q -- '-p--- ' || rig_fail "the pager unpaused it"
    xl unpause g
    check_data "paused and unpaused"
    rig_guest_stop g
}

core_grows() { [ "$(stat -c %s "$RIG_TMP/core")" -gt $((4 << 20)) ]; }

# The distribution's xl takes 3 ms a page here: its beginning is enough.
dumped() {
    local dump
    restore_paused dump-core
    xl dump-core g "$RIG_TMP/core" &
    dump=$!
    rig_wait_for 120 core_grows || rig_fail dump-core
    state_is complete || rig_fail "dumped: $(xl-ext lazy-list)"
    kill $dump
    wait $dump || :
    rm "$RIG_TMP/core"
    check_data "dumped"
    rig_guest_stop g
}

saved() {
    restore_paused save
    xl save g "$RIG_TMP/again" 2>/dev/null || rig_fail save
    xl restore "$RIG_TMP/again" 2>/dev/null || rig_fail "restore"
    check_data saved
    rig_guest_stop g
    rm "$RIG_TMP/again"
}

powered_off() {
    restore_paused "$1"
    rig_guest_run -t 5 g "$1 -f" >/dev/null 2>&1 || :
    rig_wait_for 60 eval "! $rig_xl list $domid" || rig_fail "$1: it stays"
    rig_wait_for 20 eval '! lazy_processes' || rig_fail "$1: its pager stays"
}

# The xl that restored it starts it again.
rebooted() {
    powered_off reboot
    rig_wait_for 60 "$rig_xl" domid g || rig_fail "reboot: no new guest"
    rig_guest_stop g
}

destroyed() {
    restore_paused destroy
    xl destroy g
    lazy_no_trace || rig_fail "destroyed: see above"
}

lazy_save pvh 1
for check in set_and_seen paused_and_unpaused dumped saved "powered_off poweroff" \
    rebooted destroyed; do
    rig_time "== $check" $check
done
