# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-only
#
# The outer machine's monitor: QMP over a virtio port, one line a message. The
# connection outlives every opening of the port, so that the greeting is seen
# at most once, and a second negotiation is refused, which does not matter.

rig__qmp_port=/dev/virtio-ports/qmp

# rig_qmp JSON : executes a command (without the braces around it), prints the
# answer's line.
rig_qmp() {
    (
        exec 7>/run/qmp.lock
        flock 7
        exec 8<>$rig__qmp_port
        rig__qmp_ask '"execute":"qmp_capabilities"' >/dev/null
        rig__qmp_ask "$1"
    )
}

rig__qmp_ask() {
    local id=$RANDOM$RANDOM line
    echo "{$1,\"id\":\"$id\"}" >&8
    while IFS= read -r -t 10 line <&8; do
        case $line in
        *"\"id\": \"$id\""*)
            echo "${line%$'\r'}"
            return 0 ;;
        esac
    done
    echo "qmp: no answer" >&2
    return 1
}

# rig_hmp COMMAND : a command of QEMU's monitor for people. Prints what it
# answers; most answer nothing, and any answer of device_* is an error.
rig_hmp() {
    local answer text
    answer=$(rig_qmp "\"execute\":\"human-monitor-command\",\"arguments\":{$(
        )\"command-line\":\"$1\"}") || return
    text=$(sed -n 's/^{"return": "\(.*\)", "id".*/\1/p' <<<"$answer")
    [[ $1 == device_* && -n $text || $answer == *'"error"'* ]] || {
        printf '%b' "$text"
        # A bare return in a trap is that of before the trap.
        return 0
    }
    printf '%b' "qmp: ${text:-$answer}" >&2
    return 1
}
