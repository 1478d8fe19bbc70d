# shellcheck shell=bash disable=SC2034,SC2154
# SPDX-License-Identifier: LGPL-2.1-only
#
# Restores that are timed, what else is measured, and figures.
# `. /rig/lib/measure.sh` after lazy.sh. What tests/rig/bench was told is in
# $bench_load, $bench_guests, $bench_mib, $bench_rounds; each may be missing.

[ ! -f /rig/given/bench ] || . /rig/given/bench

measure_ours=/usr/local/libexec/libxl-ext/xl-ext-save-helper

# measure_restore HELPER FILE OPTION... : by the distribution's xl with that
# helper; what it prints is shown when it fails. The helper's microseconds are
# in $helper_us. $measure_mode, "require" where it is not set, is XL_EXT_LAZY.
measure_restore() {
    local helper=$1 file=$2
    shift 2
    rm -f /tmp/helper-us
    TIME_EXEC=$helper TIME_EXEC_OUT=/tmp/helper-us \
        XL_EXT_LAZY=${measure_mode:-require} LIBXL_SAVE_HELPER=/rig/tools/time-exec \
        "$rig_xl" restore "$@" "$file" >/tmp/measure.log 2>&1 ||
        { cat /tmp/measure.log; rig_fail "restore by $helper"; }
    helper_us=$(</tmp/helper-us)
}

# --- a busy host --------------------------------------------------------------

# measure_load : with --load, a busy loop for each processor of dom0, in a
# session of its own, as other people's work is; until measure_no_load.
measure_load() {
    local n
    measure_loops=()
    [ "${bench_load:-}" = yes ] || return 0
    for ((n = $(nproc); n; n--)); do
        setsid bash -c 'while :; do :; done' &
        measure_loops+=($!)
    done
    echo "$(nproc) busy loops in dom0"
}

measure_no_load() {
    [ -z "${measure_loops[*]:-}" ] || kill "${measure_loops[@]}"
    measure_loops=()
}

# --- processor time -----------------------------------------------------------

# Microseconds that Xen has let dom0 run, whatever ran in it.
measure_xen_us() { /rig/tools/domain-time 0; }

# What dom0's kernel counts of what ran in the group. It counts as used also what a
# vCPU of dom0 waited for a physical processor (Debian builds without
# CONFIG_PARAVIRT_TIME_ACCOUNTING), and a guest that works competes for those.
measure_group=/sys/fs/cgroup/case$RIG_CASE/bench
measure_cpu_us() { sed -n 's/^usage_usec //p' "$measure_group/cpu.stat"; }
measure_user_us() { sed -n 's/^user_usec //p' "$measure_group/cpu.stat"; }
measure_kernel_us() { sed -n 's/^system_usec //p' "$measure_group/cpu.stat"; }

# measure_enter, measure_leave : this shell, and what it starts, is measured.
measure_enter() { echo $BASHPID >"$measure_group/cgroup.procs"; }
measure_leave() { echo $BASHPID >"$measure_group/../cgroup.procs"; }

# --- figures ------------------------------------------------------------------

declare -A got

now() { echo "${EPOCHREALTIME/./}"; }

# note WAY NAME VALUE : one more value of a figure.
note() { got[$1,$2]+=" $3"; }

# of WAY NAME : its median, "-" when it has none.
of() {
    # shellcheck disable=SC2086 # numbers
    if [ -n "${got[$1,$2]:-}" ]; then median ${got[$1,$2]}; else echo -; fi
}

# median NUMBER... : nothing of nothing.
median() {
    printf '%s\n' "$@" | sort -n | sed -n "$((($# + 1) / 2))p"
}

# ms US : rounded.
ms() { echo $((($1 + 500) / 1000)); }

# ratio A B : A / B with two decimals.
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }

# rate NUMBER US : of it a second.
rate() { awk -v n="$1" -v us="$2" 'BEGIN { printf "%d", n * 1e6 / us }'; }

# line LABEL VALUE... : of a table.
line() { printf '| %s |%s\n' "$1" "$(printf ' %s |' "${@:2}")"; }

# all_figures : every value that was noted.
all_figures() {
    local name
    for name in "${!got[@]}"; do echo "$name:${got[$name]}"; done | sort
}
