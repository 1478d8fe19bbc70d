# SPDX-License-Identifier: LGPL-2.1-only
#
# After a case: whatever it left is named and removed, so that the next one
# finds dom0 as after the boot.

clean_up() {
    destroy_guests
    end_processes "$1"
    restore_devices
    rm -rf "/tmp/case$1"
}

destroy_guests() {
    local domid
    for domid in $(xenstore-list /local/domain | grep -vx 0); do
        echo "rig: left behind: guest" \
            "$(xenstore-read "/local/domain/$domid/name" 2>/dev/null)" \
            "(domain $domid)"
        /usr/sbin/xl destroy "$domid" 2>&1 | grep -v '^$'
    done
}

end_processes() {
    local group=/sys/fs/cgroup/case$1 pid
    [ -d "$group" ] || return 0
    while read -r pid; do
        echo "rig: left behind: process $pid" \
            "$(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null)"
    done <"$group/cgroup.procs"
    echo 1 >"$group/cgroup.kill"
    rmdir_soon "$group"
}

# A cgroup goes away only when its last process is gone.
rmdir_soon() {
    local try
    for try in 1 2 3 4 5; do
        rmdir "$1" 2>/dev/null && return
        sleep "0.$try"
    done
}
