# SPDX-License-Identifier: LGPL-2.1-only
#
# The doctor on the patched hypervisor: nothing is missing and nothing optional is, but
# for the service, which does not run here; what it says of a guest; and a device
# node that is taken away.

. ./usb.bash

gntdev=/dev/xen/gntdev
finish() {
    local status=$?
    [ ! -e "$gntdev.away" ] || mv "$gntdev.away" "$gntdev"
    (exit $status)
    tidy
}
trap finish EXIT

# state CHECK [GUEST] : what the doctor says of it.
state() {
    xl-ext doctor | awk -v c="$1" -v g="${2:--}" '$1 == c && $2 == g { print $3 }'
}

# is STATE CHECK [GUEST]
is() {
    [ "$(state "${@:2}")" = "$1" ]
}

xl-ext doctor
check "nothing is missing" says 'Nothing is missing.' xl-ext doctor
check "only the service is optional" [ "$(xl-ext doctor |
    awk '$3 == "optional" || $3 == "unknown" { print $1 }')" = usb-service ]
check "JSON" says '"works": true' xl-ext doctor --json

plug stick disk
start_guest
check "a guest without a controller" is unknown usb-frontend $guest
check "attach" xl usb-attach $guest "$stick"
check "it has connected its controller" is ok usb-frontend $guest
check "detach" xl usb-detach $guest "$stick"

mv $gntdev $gntdev.away
check "a missing device node" is missing gntdev
xl-ext doctor && rig_fail "exit status 0"
mv $gntdev.away $gntdev
check "it is there again" is ok gntdev
