# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: LGPL-2.1-only
#
# Restores that are timed, and figures. `. /rig/lib/measure.sh` after lazy.sh.

measure_ours=/usr/local/libexec/libxl-ext/xl-ext-save-helper

# measure_restore HELPER FILE OPTION... : by the distribution's xl with that
# helper; what it prints is shown when it fails. The helper's microseconds are
# in $helper_us.
measure_restore() {
    local helper=$1 file=$2
    shift 2
    rm -f /tmp/helper-us
    TIME_EXEC=$helper TIME_EXEC_OUT=/tmp/helper-us XL_EXT_LAZY=require \
        LIBXL_SAVE_HELPER=/rig/tools/time-exec \
        "$rig_xl" restore "$@" "$file" >/tmp/measure.log 2>&1 ||
        { cat /tmp/measure.log; rig_fail "restore by $helper"; }
    helper_us=$(</tmp/helper-us)
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
