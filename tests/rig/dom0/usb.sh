# SPDX-License-Identifier: LGPL-2.1-only
#
# The devices that are plugged in from the start, and how they are found by
# each case: plugged, with their drivers.

note_first_devices() {
    mkdir -p "$rig_usb_records"
    echo "1-3 xhci.0 3 tablet" >"$rig_usb_records/tablet"
    echo "1-4 xhci.0 4 disk disk0" >"$rig_usb_records/disk"
}

wait_for_first_devices() {
    rig_wait_for 10 rig_usb_driver 1-3 && rig_wait_for 10 rig_usb_driver 1-4
}

restore_devices() {
    local record id
    for record in "$rig_usb_records"/*; do
        [ -e "$record" ] || continue
        id=${record##*/}
        case $id in
        tablet | disk) check_first_device "$id" ;;
        *)
            echo "rig: left behind: USB device $id"
            rig_usb_unplug "$id" ;;
        esac
    done
    [ -e "$rig_usb_records/tablet" ] || plug_first_device tablet
    [ -e "$rig_usb_records/disk" ] || plug_first_device disk
}

# Plugged but without its driver: somebody took it and did not give it back.
check_first_device() {
    rig_wait_for 3 rig_usb_driver "$(rig_usb_busid "$1")" && return
    echo "rig: left behind: the USB $1 without its driver"
    rig_usb_unplug "$1"
}

plug_first_device() {
    case $1 in
    tablet) rig_usb_plug tablet tablet port=3 ;;
    disk) rig_usb_plug disk disk port=4 serial=RIG0 ;;
    esac >/dev/null
    rig_wait_for 10 rig_usb_driver "$(rig_usb_busid "$1")"
}
