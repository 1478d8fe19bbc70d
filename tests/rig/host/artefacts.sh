# SPDX-License-Identifier: LGPL-2.1-only
#
# What a run is made from, and what each part depends on. The parts that do
# not need each other are built at the same time.

dom0_packages() {
    echo "xen-utils-$xen_release" xen-utils-common xenstore-utils \
        qemu-system-xen seabios ipxe-qemu kmod busybox-static usbutils \
        strace libyajl2 libuuid1 libseccomp2 nbdkit libnbd0 iproute2 e2fsprogs
}
# What an installation brings, beside the kernel and Xen, so that the packages
# under test find all they depend on.
installed_packages() {
    echo linux-image-amd64 initramfs-tools zstd systemd-sysv udev dbus kmod \
        usbutils logrotate man-db bash-completion "xen-utils-$xen_release" \
        xen-utils-common xenstore-utils qemu-system-xen libyajl2 libuuid1 \
        libnbd0 libseccomp2
}
dom0_modules=(
    xen-evtchn xen-gntdev xen-gntalloc xen-privcmd xenfs
    virtio_pci virtio_console 9p 9pnet_virtio
    xhci-pci ehci-pci usbhid hid-generic evdev usb-storage sd_mod
    usbserial ftdi_sio dummy_hcd vhci-hcd ext4
    xen-netback xen-blkback bridge loop virtio_net cdc_ether uas
)
guest_modules=(
    xen-hcd xhci-pci ehci-pci uhci-hcd usbhid hid-generic evdev
    usb-storage sd_mod usbserial ftdi_sio xen-evtchn xen-privcmd xenfs
    xen-blkfront xen-netfront -msr -evtchn-vector -xen-vec cdc_ether uas
)
build_packages=(
    gcc libc6-dev make autoconf pkg-config perl libxen-dev libyajl-dev uuid-dev
    libnbd-dev libseccomp-dev libelf-dev libssl-dev zlib1g-dev
)
# Of one file each, and of the folder.
own_modules=("$top"/tests/guests/linux/*.c "$top/guest/linux")
builders=$rig/artefacts

# suite_artefact NAME PACKAGES BUILDER-ARGUMENT... : one that is made from what
# the suite has of these packages, by the builder of that name.
suite_artefact() {
    local name=$1 packages=$2 found
    shift 2
    # shellcheck disable=SC2086 # names of packages
    found=$(versions $packages) || return
    artefact "$name" "$(key_of "$suite" "$found" "$builders/$name" \
        "${own_inputs[@]}")" "$builders/$name" "$@"
}

# Nothing when what is to run in dom0 can be built on this host.
build_root_artefact() {
    local own_inputs=("$rig/host/system.sh")
    host_is_suite ||
        suite_artefact build-root "${build_packages[*]}" "${build_packages[@]}"
}

kernel_artefact() {
    local own_inputs=("${1##*/}" "$rig"/host/{inside,vmlinux}.sh
        "${own_modules[@]}" "$top"/guest/linux/{Kbuild,*.[ch]})
    suite_artefact kernel linux-image-amd64 "$1" "${own_modules[@]}"
}

# dom0's kernel, or the newest.
guest_kernel_artefact() (
    [ "$guest_kernels" = newest ] || { echo "$kernel"; return; }
    choose_suite "$newest_kernel_host"
    update_lists deb "$lists_days" && root=$(build_root_artefact) || return
    suite=$newest_kernel_suite
    update_lists deb "$lists_days" && kernel_artefact "$root"
)

dom0_root_artefact() {
    local packages own_inputs=("$rig/host/system.sh")
    packages=$(dom0_packages)
    # shellcheck disable=SC2086 # names of packages
    suite_artefact dom0-root "$packages" $packages
}

installed_artefact() {
    local packages start=$rig/dom0/start-installed
    local own_inputs=("$start" "$rig"/host/{system,vmlinux}.sh)
    packages=$(installed_packages)
    # shellcheck disable=SC2086 # names of packages
    suite_artefact installed-system "$packages" "$start" $packages
}

dom0_image_artefact() {
    artefact dom0-image "$(key_of "${1##*/}" "${2##*/}" "${dom0_modules[*]}" \
        "$rig/dom0/init" "$rig/host/modules.sh" "$builders/dom0-image")" \
        "$builders/dom0-image" "$1" "$2" "$rig/dom0/init" "${dom0_modules[@]}"
}

guest_artefact() {
    artefact guest "$(key_of "${1##*/}" "$rig"/{guest,usbfs}/* \
        "$rig"/usbip/pattern.? "${guest_modules[*]}" \
        "$rig/host/modules.sh" "$builders/guest")" \
        "$builders/guest" "$1" "$rig/guest" "${guest_modules[@]}"
}

qemu_artefact() (
    own_inputs=("$rig"/qemu/*)
    choose_suite "$outer_suite"
    update_lists deb "$lists_days" &&
        suite_artefact qemu qemu-system-x86 "$rig/qemu"
)

# The program of the outer machine. Without ours a run still tells something.
outer_qemu() {
    local folder
    if folder=$(qemu_artefact); then
        echo "$folder/qemu-system-x86_64"
    else
        say "WARNING: without it, the distribution's QEMU is used," \
            "and busy guests may crash in it (see README.md)"
        command -v qemu-system-x86_64
    fi
}

# The hypervisor's file.
xen_file() {
    local package=xen-hypervisor-$xen_release-amd64 own_inputs=() without=()
    local folder
    case $flavour in
    own) own_xen; return ;;
    stock) folder=$(suite_artefact stock-xen "$package" "$package") ;;
    *)
        [ "$flavour" = patched ] || without=(--without fixes --without paging)
        folder=$(timed "preparing the patched hypervisor" \
            build_xen "${without[@]}") ;;
    esac
    [ -n "$folder" ] && echo "$folder/xen"
}

# What it prints is of interest only when it fails.
build_xen() {
    local log status=0
    log=$(mktemp)
    "$top/hypervisor/build" "$@" 2>"$log" | tail -n 1
    [ "${PIPESTATUS[0]}" = 0 ] || { tail -n 40 "$log" >&2; status=1; }
    rm -f "$log"
    return $status
}

# The machine's boot loader takes no compressed one.
own_xen() {
    gzip -t "$own_xen_file" 2>/dev/null || { echo "$own_xen_file"; return; }
    mkdir -p "$cache/rig"
    gzip -dc "$own_xen_file" >"$cache/rig/own-xen.new" &&
        mv "$cache/rig/own-xen.new" "$cache/rig/own-xen" &&
        echo "$cache/rig/own-xen"
}

kernel_and_guest() {
    build_root=$(build_root_artefact) || return
    kernel=$(kernel_artefact "$build_root") || return
    guest_kernel=$(guest_kernel_artefact) || return
    guest=$(guest_artefact "$guest_kernel") || return
    printf '%s\n' "$kernel" "$guest" "$build_root"
}

# Fills in the folders: kernel, guest, dom0, build_root, and the files xen and
# qemu.
prepare_artefacts() {
    local root found jobs
    found=$(mktemp -d) || return
    update_lists deb "$lists_days" || return
    kernel_and_guest >"$found/kernel" & jobs=$!
    { dom0_root_artefact >"$found/root"; } & jobs="$jobs $!"
    { xen_file >"$found/xen"; } & jobs="$jobs $!"
    { outer_qemu >"$found/qemu"; } & jobs="$jobs $!"
    if wait_all $jobs; then
        { read -r kernel; read -r guest; read -r build_root; } \
            <"$found/kernel"
        xen=$(cat "$found/xen")
        qemu=$(cat "$found/qemu")
        root=$(cat "$found/root")
        dom0=$(dom0_image_artefact "$root" "$kernel")
    fi
    rm -rf "$found"
    [ -n "${dom0:-}" ] && { [ -z "$disk" ] || prepare_disk; }
}

# The disk of an installed dom0; one that is there goes on being used.
prepare_disk() {
    installed=$(installed_artefact) || return
    [ -e "$disk" ] || cp --sparse=always "$installed/disk" "$disk"
}

wait_all() {
    local job status=0
    for job; do
        wait "$job" || status=1
    done
    return $status
}
