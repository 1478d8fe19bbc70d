# SPDX-License-Identifier: LGPL-2.1-only
#
# Xen is there, dom0 can speak to it, and the product is installed.

set -eu

xl info | grep -E '^(xen_version|xen_caps|virt_caps|total_memory|free_memory)'
xl list | grep -q '^Domain-0'
lsusb | grep -q 0627:0001
lsusb | grep -q 46f4:0001
test -c /dev/virtio-ports/qmp
if [ -d /rig/run/stage ]; then
    xl-ext version
    xl-ext version | grep -qx "running on Xen $(xl info xen_version)"
    test "$(command -v xl)" = /usr/local/sbin/xl
fi
