# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-only
#
# A guest "g" of whose memory dom0 takes pages away while it runs: guest/paged.c
# and tools/page-out.c. `. /rig/lib/paged.sh` after rig.sh.

paged_answered=$rig_tmp/answered

# paged_said PATTERN : whether the guest's program has printed it.
paged_said() { rig_guest_run g "grep -q '$1' /run/paged"; }

# paged_take HOLD GFN...|all : they are out; the first HOLD requests are answered
# together.
paged_take() {
    : >"$paged_answered"
    "$rig_tools/page-out" "$(rig_domid g)" "$@" >"$paged_answered" 2>&1 &
    paged_server=$!
    rig_wait_for 200 eval "grep -q '^out' $paged_answered ||
        ! kill -0 $paged_server" && grep -q '^out' "$paged_answered" ||
        rig_fail "pages are not out: $(<"$paged_answered")"
}

# paged_out HOLD ARGUMENT... : the guest's program is ready, and its pages are
# out, see paged_take.
paged_out() {
    local hold=$1 gfns
    shift
    rig_guest_run g "
        rm -f /run/go /run/paged
        setsid paged $* >/run/paged 2>&1 &"
    rig_wait_for 20 paged_said '^ready' ||
        rig_fail "paged $*: not ready: $(rig_guest_run g cat /run/paged)"
    gfns=$(rig_guest_run g "sed -n 's/^gfn //p' /run/paged")
    # shellcheck disable=SC2086 # many
    paged_take "$hold" $gfns
}

# paged_go : the guest's program uses its pages.
paged_go() { rig_guest_run g 'touch /run/go'; }

# paged_finish WHAT : its checks are done, and all of them good.
paged_finish() {
    rig_wait_for 60 paged_said '^end' ||
        rig_fail "$1: no end: $(rig_guest_run g cat /run/paged)
$(<"$paged_answered")"
    rig_guest_run g 'grep -v "^gfn" /run/paged'
    cat "$paged_answered"
    ! paged_said '^FAILED' || rig_fail "$1"
}

# paged_in : what is still out comes back, and nobody pages any more.
paged_in() {
    kill "$paged_server"
    wait "$paged_server" ||
        rig_fail "the pages were not served: $(<"$paged_answered")"
}

# paged_asked PATTERN : how many different requests there were.
paged_asked() { grep "^asked.*$1" "$paged_answered" | sort -u | wc -l; }

# paged_touch_together N : N vcpus touch one page. They are all asleep then: each
# has a request of its own, and none is answered before.
paged_touch_together() {
    paged_out "$1" touch "$1"
    paged_go
    paged_finish "$1 vcpus touch one page"
    paged_in
    [ "$(paged_asked paused)" = "$1" ] ||
        rig_fail "$1 vcpus, $(paged_asked paused) of them sleep"
}
