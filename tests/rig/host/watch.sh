# SPDX-License-Identifier: LGPL-2.1-only
#
# Beside a running machine: ends it when it crashed, or says nothing any more,
# and keeps its clock.

# A guest's lines carry its number, "(d5)", and are no matter here.
crash_lines='^(\(XEN\) .*Panic on CPU|(\[ *[0-9.]+\] )?Kernel panic)'
boot_limit=180
# A machine that does nothing for so long stands still: its own idle loops and
# clocks take more than that many ms in a second. It was seen, seldom, with two
# vCPUs in a guest.
still_limit=60
still_ms=10
# What Xen tells of a machine that hangs, into its console (xl debug-keys): event
# channels, timers, run queues, domains and vCPUs, and the registers of dom0.
hang_keys=earq0
# What QEMU tells of it: for each queue of the port that dom0 writes events to, and
# of the shared folders of every run, what the driver has given and the device has
# used.
hang_questions=(
    "info chardev"
    "info virtio"
    "info virtio-status /machine/peripheral/ports/virtio-backend"
    "info virtio-queue-status /machine/peripheral/ports/virtio-backend "{4,5,6,7}
    "info virtio-queue-status /machine/peripheral-anon/device["{0,1,2}"]/virtio-backend 0"
)

watch_machine() {
    local idle_limit=$((timeout + 60)) why waited=0 last_sign='' waited_then=0
    local still=0
    local -A stood=() ran=()
    while kill -0 "$machine" 2>/dev/null; do
        sleep 1
        note_waiting
        why=$(crash_seen) || why=$(silence_seen) || why=$(stillness_seen) ||
            continue
        echo "$why" >"$run/why"
        [[ $why != hung:* ]] || { ask_qemu >"$out/hung.log"; ask_xen; }
        # The lines that tell more come after the one that was matched.
        sleep 2
        kill -KILL "$machine" 2>/dev/null
    done
}

# Control-O and a key is what dom0's kernel is asked: to print all of its messages,
# and where each process stands. After three times control-A Xen itself reads what
# comes.
ask_xen() {
    perl -MIO::Socket::UNIX -e 'my $s = IO::Socket::UNIX->new($ARGV[0]) or die;
        for ("\x0f9", "\x0ft", "\x01\x01\x01", split //, $ARGV[1]) {
            print $s $_; $s->flush; sleep 1 }' \
        "$run/console" "$hang_keys" 2>/dev/null
}

# Lines with escapes are the monitor's echo of what it was asked.
ask_qemu() {
    perl -MIO::Socket::UNIX -e 'my $s = IO::Socket::UNIX->new(shift) or die;
        $s->blocking(0);
        for my $question (@ARGV) {
            print "== $question\n"; print $s "$question\n"; $s->flush; sleep 1;
            print grep { !/\x1b/ } <$s>;
        }' "$run/monitor" "${hang_questions[@]}" 2>&1 | tr -d '\r'
}

# How long the machine has been kept from running by what else this host does,
# in ms, for $run/waited: no limit of the rig counts that time. In each second it
# is the time that the machine's worst placed thread stood in a run queue
# (schedstat's second number, in ns; the first is how long it has run).
note_waiting() {
    local task used wait longest=0 all=0
    for task in /proc/"$machine"/task/*; do
        read -r used wait _ 2>/dev/null <"$task/schedstat" || continue
        all=$((all + used - ${ran[$task]:-0}))
        wait=$((wait - ${stood[$task]:-0}))
        [ $wait -le $longest ] || longest=$wait
        stood[$task]=$((${stood[$task]:-0} + wait)) ran[$task]=$used
    done
    still=$((all / 1000000 < still_ms ? still + 1 : 0))
    waited=$((waited + longest / 1000000))
    echo $waited >"$run/waited.new"
    mv "$run/waited.new" "$run/waited"
}

crash_seen() {
    local line
    line=$(grep -aEm 1 "$crash_lines" "$out/console.log" 2>/dev/null) ||
        return 1
    echo "crashed: ${line%$'\r'}"
}

# A host without schedstat counts nothing at all.
stillness_seen() {
    [ ${#ran[@]} -gt 0 ] && [ "$still" -ge "$still_limit" ] || return 1
    echo "hung: it stands still, with nothing to do"
}

# The follower touches $run/alive at every event.
silence_seen() {
    local limit=$idle_limit age sign
    [ -e "$run/booted" ] || limit=$boot_limit
    sign=$(stat -c %Y "$run/alive")
    [ "$sign" = "$last_sign" ] || last_sign=$sign waited_then=$waited
    age=$(($(date +%s) - sign - (waited - waited_then) / 1000))
    [ $age -ge $limit ] || return 1
    if [ -e "$run/booted" ]; then
        echo "hung: dom0 did not end the case"
    else
        echo "hung: dom0 did not come up in $boot_limit s"
    fi
}
