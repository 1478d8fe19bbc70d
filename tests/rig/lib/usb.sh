# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-only
#
# USB devices of the outer machine, plugged and unplugged while it runs.

. "$rig_lib/qmp.sh"

rig_usb_records=/run/rig/usb

# rig_usb_plug ID TYPE [OPTION=VALUE]... : plugs a device in, waits until dom0
# has it, and prints its busid. TYPE is tablet, mouse, keyboard, disk, serial or
# hub; or one of which there is one: stick (a disk of 320 MiB), sound, line (a
# serial one whose other end is /dev/virtio-ports/line), net (eth0 is the other
# end), phone (MTP), card (a reader of smart cards).
# Options are QEMU's; the ones used most:
#   port=P      on the xHCI: 1 and 2 take SuperSpeed, 3 to 12 high speed at most
#   port=P.Q    behind the hub in port P
#   bus=ehci.0  on the EHCI instead
#   serial=TEXT its serial number; empty for none
rig_usb_plug() {
    local id=$1 type=$2 device port='' bus=xhci.0 option more='' busid
    shift 2
    for option; do
        case $option in
        port=*) port=${option#*=} ;;
        bus=*) bus=${option#*=} ;;
        *) more+=,$option ;;
        esac
    done
    port=${port:-$(rig__usb_free_port)}
    device=$(rig__usb_device "$type") || return
    rig_hmp "device_add $device,id=$id,bus=$bus,port=$port$more" || return
    busid=$(rig__usb_wait "$bus" "$port") ||
        { echo "usb: $id did not appear in port $port" >&2; return 1; }
    mkdir -p $rig_usb_records
    echo "$busid $bus $port $type ${device##*drive=}" >"$rig_usb_records/$id"
    echo "$busid"
}

# rig_usb_unplug ID : pulls it out, and waits until dom0 has noticed.
rig_usb_unplug() {
    local busid
    busid=$(rig_usb_busid "$1") || return
    rig_hmp "device_del $1" || return
    rig__usb_forget "$busid"
    rig_wait_for 10 test ! -e "/sys/bus/usb/devices/$busid" ||
        { echo "usb: $1 ($busid) did not go away" >&2; return 1; }
}

# What is behind a hub goes with it.
rig__usb_forget() {
    local record busid
    for record in $rig_usb_records/*; do
        read -r busid _ <"$record"
        [[ $busid != "$1" && $busid != "$1".* ]] || rm "$record"
    done
}

# rig_usb_busid ID : its name in sysfs, for example 1-4.2.
rig_usb_busid() {
    cut -d ' ' -f 1 "$rig_usb_records/$1" 2>/dev/null ||
        { echo "usb: no device $1" >&2; return 1; }
}

# rig_usb_driver BUSID [INTERFACE] : the driver that has an interface (default
# 1.0) in dom0; 1 when none has.
rig_usb_driver() {
    local link
    link=$(readlink "/sys/bus/usb/devices/$1:${2:-1.0}/driver") &&
        echo "${link##*/}"
}

rig__usb_device() {
    case $1 in
    tablet | mouse | hub) echo "usb-$1" ;;
    keyboard) echo usb-kbd ;;
    serial) echo usb-serial,always-plugged=on,chardev=null ;;
    disk) echo "usb-storage,drive=$(rig__usb_free_disk)" ;;
    stick) echo usb-storage,drive=stick ;;
    # As is, QEMU drops what a busy host sends late and all at once: 32 ms.
    sound) echo usb-audio,audiodev=sound,buffer=1048576 ;;
    line) echo usb-serial,always-plugged=on,chardev=line ;;
    net) echo usb-net,netdev=cable ;;
    phone) echo "usb-mtp,rootdir=$(</rig/run/folder)/phone" ;;
    card) echo usb-ccid ;;
    *) echo "usb: no type $1" >&2; return 1 ;;
    esac
}

rig__usb_free_port() {
    local port
    for port in 5 6 7 8 9 10 11 12; do
        grep -qs " xhci.0 $port " $rig_usb_records/* ||
            { echo $port; return; }
    done
}

rig__usb_free_disk() {
    local disk
    for disk in disk0 disk1 disk2 disk3; do
        grep -qs " $disk\$" $rig_usb_records/* || { echo $disk; return; }
    done
}

# dom0 numbers the xHCI 1 (USB 2) and 2 (SuperSpeed), the EHCI 3.
rig__usb_wait() {
    local buses='1 2' try bus
    [ "$1" != ehci.0 ] || buses=3
    for ((try = 0; try < 100; try++)); do
        for bus in $buses; do
            [ ! -e "/sys/bus/usb/devices/$bus-$2:1.0" ] ||
                { echo "$bus-$2"; return; }
        done
        sleep 0.1
    done
    return 1
}
