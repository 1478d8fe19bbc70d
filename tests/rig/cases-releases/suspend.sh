# SPDX-License-Identifier: LGPL-2.1-only
#
# xl suspend and xl resume, new in Xen 4.20, of a guest that is filling: it
# sleeps while its memory arrives, and goes on with what was saved; by our xl and
# by the distribution's. That needs a patched hypervisor, by --xen FILE. On the
# distribution's own the guest was restored eagerly, and ours hands them on.

set -eu
. /rig/lib/rig.sh
. /rig/lib/lazy.sh

grep -qw suspend <<<"$("$rig_xl" help)" ||
    rig_fail "this release has no xl suspend"

if xl-ext lazy-check >"$rig_tmp/check"; then lazy=yes; else lazy=; fi

is_suspended() {
    "$rig_xl" list g | tail -n 1 | awk '{ exit $5 !~ /s/ }'
}

state_is() { [ "$(lazy_field "$domid" state)" = "$1" ]; }

done_pages() { lazy_field "$domid" "done"; }

# One page in the backfill's time: only what the guest touches comes.
restored() {
    if [ -n "$lazy" ]; then
        lazy_restore --bwlimit=1 "$lazy_file"
        domid=$(rig_domid g)
        rig_wait_for 20 xl-ext lazy-set g --pause ||
            rig_fail "no pager listens"
    else
        xl restore --lazy "$lazy_file" >"$rig_tmp/said" 2>&1 ||
            rig_fail "$(<"$rig_tmp/said")"
    fi
    rig_guest_wait g
    echo "$type: restored, and answers"
}

still_filling() { # WHAT
    [ -n "$lazy" ] || return 0
    state_is filling || rig_fail "$1: $(xl-ext lazy-list)"
    echo "$1: filling, $(done_pages) of $(lazy_field "$domid" held_back) pages"
}

suspended() { # XL
    timeout 120 "$1" suspend g || rig_fail "$type: $1 suspend: $?"
    is_suspended || rig_fail "$type: not suspended: $("$rig_xl" list)"
    still_filling "$type, $1 suspend"
}

resumed() { # XL
    timeout 120 "$1" resume g || rig_fail "$type: $1 resume: $?"
    rig_guest_wait g || rig_fail "$type: it does not go on"
    ! is_suspended || rig_fail "$type: still suspended: $("$rig_xl" list)"
}

holds() { # WHAT
    rig_guest_run -t 120 g 'pattern check /mem/p 42' ||
        rig_fail "$type, $1: wrong data"
    [ -z "$lazy" ] || lazy_complete "$domid" ||
        rig_fail "$type, $1: see above"
    echo "ok: $type, $1"
}

filled() {
    [ -z "$lazy" ] || timeout 120 xl-ext lazy-finish -q g ||
        rig_fail "$type: $(xl-ext lazy-list)"
}

# Suspended and resumed while most of its memory is out; then filled.
while_filling() {
    restored
    suspended "$1"
    resumed "$1"
    still_filling "$type, $1 resume"
    filled
    holds "$1: filled after it"
}

# All of it arrives while the guest sleeps.
filled_meanwhile() {
    restored
    suspended xl
    filled
    is_suspended || rig_fail "$type: the fill wakes it: $("$rig_xl" list)"
    resumed xl
    holds "filled meanwhile"
    rig_guest_stop g
}

type=pvh
lazy_save pvh 1
rig_time "== pvh, by ours" while_filling xl
rig_guest_stop g
[ -z "$lazy" ] || rig_time "== pvh, filled meanwhile" filled_meanwhile

# Its device model is stopped and continued as well.
type=hvm
lazy_save hvm 1
rig_time "== hvm, by the distribution's" while_filling "$rig_xl"
rig_guest_stop g
