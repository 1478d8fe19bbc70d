# SPDX-License-Identifier: LGPL-2.1-only
#
# Beside a running machine: ends it when it crashed, or says nothing any more.

# A guest's lines carry its number, "(d5)", and are no matter here.
crash_lines='^(\(XEN\) .*Panic on CPU|(\[ *[0-9.]+\] )?Kernel panic)'
boot_limit=120

watch_machine() {
    local idle_limit=$((timeout + 60)) why
    while kill -0 "$machine" 2>/dev/null; do
        sleep 1
        why=$(crash_seen) || why=$(silence_seen) || continue
        echo "$why" >"$run/why"
        # The lines that tell more come after the one that was matched.
        sleep 2
        kill -KILL "$machine" 2>/dev/null
    done
}

crash_seen() {
    local line
    line=$(grep -aEm 1 "$crash_lines" "$out/console.log" 2>/dev/null) ||
        return 1
    echo "crashed: ${line%$'\r'}"
}

# The follower touches $run/alive at every event.
silence_seen() {
    local limit=$idle_limit age
    [ -e "$run/booted" ] || limit=$boot_limit
    age=$(($(date +%s) - $(stat -c %Y "$run/alive")))
    [ $age -ge $limit ] || return 1
    if [ -e "$run/booted" ]; then
        echo "hung: dom0 did not end the case"
    else
        echo "hung: dom0 did not come up in $boot_limit s"
    fi
}
