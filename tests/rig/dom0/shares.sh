# SPDX-License-Identifier: LGPL-2.1-only
#
# File systems and devices of dom0.

mount_tmpfs() {
    mount -t tmpfs -o size=85%,mode=1777 tmp /tmp
    mount -t tmpfs -o mode=755 run /run
    mkdir -p /run/lock /run/xen /run/xenstored /sys/fs/cgroup
    mount -t cgroup2 cgroup /sys/fs/cgroup
    hostname dom0
    busybox ifconfig lo up
}

# The controllers in this order, which makes their bus numbers (see README.md).
load_modules() {
    modprobe -a xen-evtchn xen-gntdev xen-gntalloc xen-privcmd xenfs \
        virtio_console
    modprobe xhci-pci
    modprobe ehci-pci
    modprobe -a usbhid hid-generic usb-storage sd_mod usbserial ftdi_sio evdev
}

# The links udev would make: /dev/virtio-ports/NAME.
link_ports() {
    local port
    mkdir -p /dev/virtio-ports
    for port in /sys/class/virtio-ports/*; do
        [ ! -s "$port/name" ] ||
            ln -sf "../${port##*/}" "/dev/virtio-ports/$(cat "$port/name")"
    done
}

mount_9p() {
    mkdir -p "$2"
    mount -t 9p -o "trans=virtio,version=9p2000.L,msize=262144,$3" "$1" "$2"
}

# mount_shares N: the output folder, the guests' files, and N folders of cases.
mount_shares() {
    local n
    mount_9p out /rig/out rw
    mount_9p guest /rig/guest ro,cache=loose
    mount_9p tools /rig/tools ro
    [ -z "$rig_given" ] || mount_9p given /rig/given ro
    for ((n = 0; n < $1; n++)); do
        mount_9p "cases$n" "/rig/folders/$n" ro
    done
}

install_product() {
    if [ -d /rig/run/stage ]; then
        cp -a --no-preserve=ownership /rig/run/stage/. /
        ldconfig
    fi
}
