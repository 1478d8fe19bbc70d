# shellcheck shell=bash disable=SC2034,SC2154
# SPDX-License-Identifier: LGPL-2.1-only
#
# Lazy restore: guests to restore, and what is true when one is complete.
# `. /rig/lib/lazy.sh` after rig.sh.

# Save files outlive their case: a guest boots once for all cases of a run.
lazy_saves=/tmp/lazy-saves
lazy_stock_helper=$(echo /usr/lib/xen-[0-9]*/bin/libxl-save-helper)

# lazy_save pvh|hvm VCPUS [memory=MIB] : has a guest "g" saved whose /mem/p is a
# pattern of seed 42; the file's path is left in $lazy_file. Only to be read.
lazy_save() {
    lazy_file=$lazy_saves/$1-$2${3:+-${3#*=}}
    [ ! -s "$lazy_file" ] || return 0
    mkdir -p $lazy_saves
    rig_time "$1, $2 vCPUs: start" rig_guest_start g "$1" vcpus="$2" \
        memory=256 "${@:3}" &&
        rig_guest_run -t 120 g 'pattern write /mem/p 96 42' &&
        rig_time "$1, $2 vCPUs: save" "$rig_xl" save g "$lazy_file.new" \
            2>/dev/null &&
        mv "$lazy_file.new" "$lazy_file"
}

# lazy_restore ARGUMENT... : `xl restore --lazy=require`; what it prints is shown
# only when it fails.
lazy_restore() {
    xl restore --lazy=require "$@" >"$rig_tmp/restore.log" 2>&1 ||
        { cat "$rig_tmp/restore.log"; return 1; }
}

# lazy_field DOMID NAME : a field of its status; nothing when it has none.
lazy_field() {
    xl-ext lazy-list --json | sed -n "/^\[\?{\"domid\":$1,/{
        s/.*\"$2\":\"\([^\"]*\)\".*/\1/p;t
        s/.*\"$2\":\([0-9]*\).*/\1/p
    }"
}

# lazy_numbers DOMID : its status, for people.
lazy_numbers() {
    xl-ext lazy-list --json | sed -n "/^\[\?{\"domid\":$1,/{
        s/.*\"pages\"/\"pages\"/
        s/,\"bad\":.*//
        s/[]\"}]//g
        s/,/ /gp
    }"
}

# lazy_paged_out DOMID : how many of its pages the hypervisor counts as paged.
lazy_paged_out() {
    "$rig_xl" debug-keys q
    "$rig_xl" dmesg | tr -d '\r' |
        sed -n "/General information for domain $1:/,/paged_pages/{
            s/.*paged_pages=\([0-9]*\).*/\1/p
        }" | tail -n 1
}

# lazy_processes : of all restores, pagers, supervisors and their reserves.
lazy_processes() { grep -l '^xl-ext-save-hel' /proc/[0-9]*/comm 2>/dev/null; }

# lazy_confined PID CAPABILITIES : whether that pager has no more than these, and
# does not see the host's files.
lazy_confined() {
    local line status
    [ ! -e "/proc/$1/root/usr" ] || { echo "it sees /usr"; return 1; }
    [ -d "/proc/$1/root/run/libxl-ext/lazy" ] || { echo "no statuses"; return 1; }
    status=$(cat "/proc/$1/status")
    for line in "NoNewPrivs 1" "CapInh 0" "CapPrm $2" "CapEff $2" "CapBnd 0" \
        "CapAmb 0" "Seccomp 2"; do
        grep -q "^${line% *}:[[:space:]]*0*${line#* }\$" <<<"$status" ||
            { echo "not '$line' in: $status"; return 1; }
    done
}

lazy_no_processes() {
    rig_wait_for 10 eval '! lazy_processes' ||
        { echo "still there: $(lazy_processes)"; return 1; }
}

# lazy_complete DOMID : whether all its memory is there and nothing of the
# restore is left.
lazy_complete() {
    local state held paged
    state=$(lazy_field "$1" state)
    [ "$state" = complete ] || { echo "it is '$state'"; return 1; }
    held=$(lazy_field "$1" held_back)
    [[ $held -gt 0 && $held = "$(lazy_field "$1" "done")" ]] ||
        { echo "$held pages were held back"; return 1; }
    paged=$(lazy_paged_out "$1")
    [ "$paged" = 0 ] || { echo "$paged pages are paged out"; return 1; }
    "$rig_tools/paging-off" "$1" && lazy_no_processes
}

# lazy_helper COMMAND : a program for LIBXL_SAVE_HELPER that first runs COMMAND,
# with $pager and $PPID (our save helper) set, while paging is on already and
# no page was restored or served. Prints its path.
lazy_helper() {
    cat >"$rig_tmp/helper" <<EOT
#!/bin/bash
pager=\$(sed 's/.*"pid":\([0-9]*\).*/\1/' "/run/libxl-ext/lazy/\$4.json")
$1
exec $lazy_stock_helper "\$@"
EOT
    chmod +x "$rig_tmp/helper"
    echo "$rig_tmp/helper"
}

# lazy_restore_stopped ARGUMENT... : restores lazily, the pager being stopped
# before it served anything. Its pid is left in $pager, the domain in $domid.
lazy_restore_stopped() {
    # shellcheck disable=SC2016 # for the helper
    LIBXL_SAVE_HELPER=$(lazy_helper 'kill -STOP $pager') \
        lazy_restore "$@" || return
    domid=$(rig_domid g) && pager=$(lazy_field "$domid" pid)
}

# lazy_restore_slowly ARGUMENT... : the pager may only work a few ms in 0.2 s.
# shellcheck disable=SC2016 # for the helper
lazy_restore_slowly() {
    LIBXL_SAVE_HELPER=$(lazy_helper '
        while kill -STOP $pager && sleep 0.2 && kill -CONT $pager; do
            sleep 0.002
        done </dev/null >/dev/null 2>&1 &') \
        lazy_restore "$@"
}

# lazy_no_trace : no guest, no process, no status of one that is filling.
lazy_no_trace() {
    rig_wait_for 10 eval "[ \$($rig_xl list | wc -l) = 2 ]" ||
        { "$rig_xl" list; return 1; }
    lazy_no_processes
}
