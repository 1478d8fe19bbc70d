# SPDX-License-Identifier: LGPL-2.1-only
#
# What Xen needs of dom0. Each guest's console is kept in
# /var/log/xen/console/, which the runner copies out.

start_xen_services() {
    local bin
    bin=$(echo /usr/lib/xen-[0-9]*/bin)
    mount -t xenfs xenfs /proc/xen &&
        mkdir -p /var/lib/xenstored /var/log/xen/console &&
        "$bin/xenstored" --pid-file /run/xen/xenstored.pid &&
        "$bin/xen-init-dom0" &&
        "$bin/xenconsoled" --log=guest --log-dir=/var/log/xen/console \
            --pid-file=/run/xen/xenconsoled.pid
}
