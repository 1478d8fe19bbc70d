# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: LGPL-2.1-only
#
# What an eager and a lazy restore of one paused guest start and ask for, from xl
# to the end of its last process: counts, which a busy machine does not change
# much. The traces are kept in the output folder.

. /rig/lib/rig.sh
. /rig/lib/lazy.sh
. /rig/lib/measure.sh
set -u

dir=/tmp/bench
trap 'rig_guest_stop g 2>/dev/null; rm -rf $dir' EXIT

# traced WAY COMMAND... : its calls in $dir/WAY.calls, what xenstored was asked
# meanwhile in $dir/WAY.xenstore.
traced() {
    local way=$1
    shift
    xenstore-control logfile "$dir/$way.xenstore" || rig_fail 'no log of xenstore'
    strace -f -qq -e signal=none -o "$dir/$way.calls" "$@" \
        >"$dir/$way.log" 2>&1 || { cat "$dir/$way.log"; rig_fail "$way"; }
    xenstore-control logfile /dev/null
    rig_guest_stop g
}

# The calls of a trace by the program that made them; a process that was forked
# and executed nothing counts for the program that it comes from. On standard
# error, the calls that each made ten times or more.
by_program() {
    awk '
    function program(line, part, n) {
        split(line, part, "\""); n = split(part[2], part, "/")
        return part[n]
    }
    function begins(pid, child) {
        if (child ~ /^[0-9]+$/ && !(child in name)) name[child] = name[pid]
    }
    function executes(pid) {
        name[pid] = next_name[pid]; started[name[pid], "executed"]++
    }
    { pid = $1; call = $2; sub(/\(.*/, "", call); ok = $NF != "?" && !/= -1 / }
    !(pid in name) { name[pid] = "xl" }
    $2 == "+++" { next }
    $2 == "<..." && $3 ~ /^(clone|clone3|vfork|fork)$/ { begins(pid, $NF) }
    $2 == "<..." && $3 == "execve" && ok { executes(pid) }
    $2 == "<..." { next }
    call ~ /^(clone|clone3|vfork|fork)$/ {
        started[name[pid], /CLONE_THREAD/ ? "threads" : "processes"]++
        begins(pid, $NF)
    }
    call == "execve" {
        next_name[pid] = program($0)
        if ($NF == "0" && ok) executes(pid)
    }
    call == "ioctl" && /0x50,|privcmd|PRIVCMD/ { started[name[pid], "privcmd"]++ }
    { programs[name[pid]]; calls[name[pid]]++; what[name[pid], call]++ }
    END {
        for (p in programs)
            print p, calls[p], started[p, "privcmd"] + 0,
                started[p, "processes"] + 0, started[p, "threads"] + 0,
                started[p, "executed"] + 0
        for (k in what) {
            split(k, part, SUBSEP)
            if (what[k] >= 10) print part[1], part[2], what[k] >"/dev/stderr"
        }
    }' "$1"
}

table() {
    local way program row
    line "256 MiB, paused" calls 'of them privcmd' processes threads executed
    echo '|---|---|---|---|---|---|'
    for way in eager lazy; do
        while read -r program row; do
            # shellcheck disable=SC2086 # numbers
            line "$way: $program" $row
        done < <(by_program "$dir/$way.calls" 2>"$dir/$way.by-call" | sort)
    done
    echo
    line 'requests to xenstore' eager lazy
    echo '|---|---|---|'
    requests
}

# Each kind of request with its numbers.
requests() {
    awk '
    $1 == "IN" { n[$5, FILENAME ~ /lazy/]++; all[$5] }
    END { for (k in all) printf "| %s | %d | %d |\n", k, n[k, 0], n[k, 1] }
    ' "$dir/eager.xenstore" "$dir/lazy.xenstore" | sort
}

mkdir -p $dir
rig_guest_start g pvh && rig_guest_run g 'pattern write /mem/p 96 42' &&
    "$rig_xl" save g $dir/save 2>/dev/null || rig_fail 'no saved guest'
traced eager "$rig_xl" restore -e -p $dir/save
traced lazy xl restore --lazy=require -e -p $dir/save
table
cp $dir/*.calls $dir/*.xenstore $dir/*.by-call "$RIG_OUT"
