# SPDX-License-Identifier: LGPL-2.1-only
#
# The pager is killed, again and again, at whatever point it is: another one
# goes on, the guest lives, and its memory is right. The same for its supervisor.

set -eu
. /rig/lib/rig.sh
. /rig/lib/lazy.sh

kills=8

state() { lazy_field "$domid" state; }
has_new_pager() { [ "$(lazy_field "$domid" pid)" != "$pager" ]; }

parent_of() { sed 's/.*) . \([0-9]*\) .*/\1/' "/proc/$1/stat"; }
supervisor() { parent_of "$pager"; }
are_three() { [ "$(lazy_processes | wc -l)" = 3 ]; }

failed() {
    cat "/var/log/xen/xl-ext-lazy-$domid.log"
    rig_fail "$what: $1: $(xl-ext lazy-list)"
}

kill_pager() {
    kill -KILL "$pager"
    rig_wait_for 20 has_new_pager || failed "no new pager"
    pager=$(lazy_field "$domid" pid)
}

all_is_right() {
    timeout 60 xl-ext lazy-finish -q g || failed "not complete"
    rig_guest_run -t 120 g 'pattern check /mem/p 42' ||
        rig_fail "$what: wrong data"
    lazy_complete "$domid" || rig_fail "$what: see above"
    lazy_numbers "$domid"
    rig_guest_stop g
}

# The first one is killed before it served anything; each other one wherever it
# has come to. The guest reads all of its data meanwhile.
killed_again_and_again() {
    local n=1 checker
    lazy_restore_stopped --bwlimit=4M "$lazy_file"
    lazy_confined "$pager" 0 || failed "not confined"
    rig_guest_run -t 200 g 'pattern check /mem/p 42' &
    checker=$!
    kill_pager
    rig_wait_for 10 lazy_confined "$pager" 0 || failed "the next is not confined"
    while [ $n -lt $kills ] && [ "$(state)" = filling ]; do
        sleep "0.0$n"
        [ "$(state)" = filling ] || break
        kill_pager
        n=$((n + 1))
    done
    wait $checker || rig_fail "$what: wrong data while pagers were killed"
    echo "$what: $n pagers killed"
    [ $n = $kills ] || failed "too fast: killed $n times"
    [ "$(lazy_field "$domid" bwlimit)" = 4194304 ] || failed "its limit is gone"
    [ "$(lazy_field "$domid" restarts)" -ge $n ] ||
        rig_fail "$what: $(lazy_field "$domid" restarts) of $n were replaced"
    all_is_right
}

# Before anything is served, so that all happens in a known order.
supervisor_killed() {
    lazy_restore_stopped --bwlimit=4M "$lazy_file"
    rig_wait_for 20 are_three || failed "not three processes"
    kill -KILL "$(supervisor)"
    rig_wait_for 20 are_three || failed "no new standby"
    kill_pager # the new supervisor works
    kill -KILL "$(supervisor)" "$pager"
    rig_wait_for 20 has_new_pager || failed "no pager of the standby"
    pager=$(lazy_field "$domid" pid)
    all_is_right
}

for guest in "pvh 2" "hvm 1"; do
    # shellcheck disable=SC2086 # two words
    lazy_save $guest
    for check in killed_again_and_again supervisor_killed; do
        what="$guest, $check"
        rig_time "== $what" $check
    done
done
