# shellcheck shell=bash disable=SC2034,SC2154
# SPDX-License-Identifier: LGPL-2.1-only
#
# An NBD server in dom0. `. /rig/lib/nbd.sh` after rig.sh.

nbd_socket=$rig_tmp/nbd-socket
nbd_uri="nbd+unix:///?socket=$nbd_socket"
nbd_server=
trap nbd_stop EXIT

# nbd_serve FILE : $nbd_uri is FILE from now on, and nothing else.
nbd_serve() {
    nbd_stop
    rm -f "$nbd_socket" "$nbd_socket.pid"
    nbdkit -f -r -U "$nbd_socket" -P "$nbd_socket.pid" file "file=$1" &
    nbd_server=$!
    # Written when it listens, the socket before.
    rig_wait_for 10 [ -s "$nbd_socket.pid" ] || rig_fail "no NBD server"
}

nbd_stop() {
    [ -z "$nbd_server" ] || kill -KILL "$nbd_server"
    wait "$nbd_server" 2>/dev/null || :
    nbd_server=
}
