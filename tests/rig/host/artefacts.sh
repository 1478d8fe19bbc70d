# SPDX-License-Identifier: LGPL-2.1-only
#
# What a run is made from, and what each part depends on. The parts that do
# not need each other are built at the same time.

dom0_packages=(
    xen-utils-4.17 xen-utils-common xenstore-utils qemu-system-xen seabios
    ipxe-qemu kmod busybox-static usbutils strace libyajl2 libuuid1
    nbdkit libnbd0 iproute2
)
dom0_modules=(
    xen-evtchn xen-gntdev xen-gntalloc xen-privcmd xenfs
    virtio_pci virtio_console 9p 9pnet_virtio
    xhci-pci ehci-pci usbhid hid-generic evdev usb-storage sd_mod
    usbserial ftdi_sio dummy_hcd vhci-hcd ext4
    xen-netback xen-blkback bridge loop
)
guest_modules=(
    xen-hcd xhci-pci ehci-pci uhci-hcd usbhid hid-generic evdev
    usb-storage sd_mod usbserial ftdi_sio xen-evtchn xen-privcmd xenfs
    xen-blkfront xen-netfront -evtchn-vector
)
own_modules=("$top"/tests/guests/linux/*.c)
builders=$rig/artefacts

kernel_artefact() {
    artefact kernel "$(key_of "$(versions linux-image-amd64)" \
        "$builders/kernel" "$rig/host/debian.sh" "${own_modules[@]}")" \
        "$builders/kernel" "${own_modules[@]}"
}

dom0_root_artefact() {
    artefact dom0-root "$(key_of "$(versions "${dom0_packages[@]}")" \
        "$builders/dom0-root" "$rig/host/debian.sh")" \
        "$builders/dom0-root" "${dom0_packages[@]}"
}

dom0_image_artefact() {
    artefact dom0-image "$(key_of "${1##*/}" "${2##*/}" "${dom0_modules[*]}" \
        "$rig/dom0/init" "$rig/host/modules.sh" "$builders/dom0-image")" \
        "$builders/dom0-image" "$1" "$2" "$rig/dom0/init" "${dom0_modules[@]}"
}

guest_artefact() {
    artefact guest "$(key_of "${1##*/}" "$rig"/guest/* "${guest_modules[*]}" \
        "$rig/host/modules.sh" "$builders/guest")" \
        "$builders/guest" "$1" "$rig/guest" "${guest_modules[@]}"
}

qemu_artefact() {
    artefact qemu "$(key_of "$(versions qemu-system-x86)" "$rig"/qemu/* \
        "$builders/qemu")" "$builders/qemu" "$rig/qemu"
}

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

# The folder that holds the hypervisor, as `xen`.
xen_artefact() {
    local package=xen-hypervisor-4.17-amd64 without=()
    if [ "$flavour" != stock ]; then
        [ "$flavour" = patched ] || without=(--without paging)
        "$top/hypervisor/build" "${without[@]}" | tail -n 1
        return "${PIPESTATUS[0]}"
    fi
    artefact stock-xen "$(key_of "$(versions $package)" \
        "$builders/stock-xen")" "$builders/stock-xen" $package
}

kernel_and_guest() {
    kernel=$(kernel_artefact) || return
    guest=$(guest_artefact "$kernel") || return
    printf '%s\n' "$kernel" "$guest"
}

# Fills in the folders: kernel, guest, dom0, and the files xen and qemu.
prepare_artefacts() {
    local root found jobs
    found=$(mktemp -d) || return
    [ -n "$(versions linux-image-amd64)" ] || timed "reading package lists" \
        apt-get -qq update || return
    kernel_and_guest >"$found/kernel" & jobs=$!
    { dom0_root_artefact >"$found/root"; } & jobs="$jobs $!"
    { xen_artefact >"$found/xen"; } & jobs="$jobs $!"
    { outer_qemu >"$found/qemu"; } & jobs="$jobs $!"
    if wait_all $jobs; then
        { read -r kernel; read -r guest; } <"$found/kernel"
        xen=$(cat "$found/xen")/xen
        qemu=$(cat "$found/qemu")
        root=$(cat "$found/root")
        dom0=$(dom0_image_artefact "$root" "$kernel")
    fi
    rm -rf "$found"
    [ -n "${dom0:-}" ]
}

wait_all() {
    local job status=0
    for job; do
        wait "$job" || status=1
    done
    return $status
}
