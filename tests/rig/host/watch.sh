# SPDX-License-Identifier: LGPL-2.1-only
#
# Beside a running machine: ends it when it crashed, or says nothing any more,
# and keeps its clock.

# A guest's lines carry its number, "(d5)", and are no matter here.
crash_lines='^(\(XEN\) .*Panic on CPU|(\[ *[0-9.]+\] )?Kernel panic)'
boot_limit=180

watch_machine() {
    local idle_limit=$((timeout + 60)) why waited=0 last_sign='' waited_then=0
    local -A stood=()
    while kill -0 "$machine" 2>/dev/null; do
        sleep 1
        note_waiting
        why=$(crash_seen) || why=$(silence_seen) || continue
        echo "$why" >"$run/why"
        # The lines that tell more come after the one that was matched.
        sleep 2
        kill -KILL "$machine" 2>/dev/null
    done
}

# How long the machine has been kept from running by what else this host does,
# in ms, for $run/waited: no limit of the rig counts that time. In each second it
# is the time that the machine's worst placed thread stood in a run queue
# (schedstat's second number, in ns).
note_waiting() {
    local task nanoseconds longest=0
    for task in /proc/"$machine"/task/*; do
        read -r _ nanoseconds _ 2>/dev/null <"$task/schedstat" || continue
        longest=$((nanoseconds - ${stood[$task]:-0} > longest ?
            nanoseconds - ${stood[$task]:-0} : longest))
        stood[$task]=$nanoseconds
    done
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
