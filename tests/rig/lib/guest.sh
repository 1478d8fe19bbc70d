# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-only
#
# Guests: the small Linux of tests/rig/guest, as PVH or HVM.

# rig_guest_config NAME pvh|hvm [memory=MIB] [vcpus=N] [LINE]... : prints the
# configuration for xl; LINEs are added as they are.
rig_guest_config() {
    local name=$1 type=$2 memory=256 vcpus=1 setting more=''
    shift 2
    for setting; do
        case $setting in
        memory=*) memory=${setting#*=} ;;
        vcpus=*) vcpus=${setting#*=} ;;
        *) more+=$setting$'\n' ;;
        esac
    done
    cat <<EOT
name = "$name"
type = "$type"
memory = $memory
vcpus = $vcpus
cmdline = "console=hvc0 quiet"
on_crash = "destroy"
EOT
    rig__boot_"$type"
    printf '%s' "$more"
}

rig__boot_pvh() {
    echo 'kernel = "/rig/guest/vmlinux"'
    echo 'ramdisk = "/rig/guest/initrd"'
}

# The device model puts kernel and ramdisk into memory: guest/hvm-boot.S.
rig__boot_hvm() {
    cat <<EOT
kernel = "/rig/guest/hvm-boot"
device_model_args_hvm = [
    "-device", "loader,file=/rig/guest/vmlinux",
    "-device", "loader,file=/rig/guest/initrd,addr=$(
        cat /rig/guest/initrd-address),force-raw=on"
]
serial = "pty"
vga = "none"
vnc = 0
sdl = 0
EOT
}

# rig_guest_start NAME pvh|hvm [memory=MIB] [vcpus=N] [LINE]... : creates the
# guest and waits until it answers.
rig_guest_start() {
    rig_guest_create "$@" && rig_guest_wait "$1" 120
}

# The same without waiting.
rig_guest_create() {
    rig_guest_config "$@" >"$rig_tmp/$1.cfg" &&
        "$rig_xl" create -q "$rig_tmp/$1.cfg"
}

# rig_guest_wait GUEST [SECONDS] : until it answers.
rig_guest_wait() {
    "$rig_tools/guest-run" -w "${2:-60}" "$1" true ||
        { echo "guest $1 does not answer" >&2; return 1; }
}

# rig_guest_run [-t SECONDS] GUEST COMMAND... : a command inside the guest, by
# its shell. Prints what it prints (standard error too) and returns its exit
# status; 137 when it was cut off, 125 when the guest does not answer.
rig_guest_run() { "$rig_tools/guest-run" "$@"; }

# rig_guest_ticks GUEST : grows by ten a second for as long as the guest runs.
rig_guest_ticks() { rig_guest_run "$1" cat /run/ticks; }

# rig_guest_stop GUEST : destroys it, and waits until it is gone.
rig_guest_stop() {
    local domid
    domid=$(rig_domid "$1") || return
    "$rig_xl" destroy "$domid" &&
        rig_wait_for 30 eval "! $rig_xl list $domid"
}

# rig_domid GUEST : its domain's number. A number stands for itself.
rig_domid() {
    if [[ $1 =~ ^[0-9]+$ ]]; then echo "$1"; else "$rig_xl" domid "$1"; fi
}

# rig_guest_log GUEST : what its console printed, the agent's lines left out.
rig_guest_log() {
    tr -d '\r' <"/var/log/xen/console/guest-$1.log" | grep -av '^@'
}
