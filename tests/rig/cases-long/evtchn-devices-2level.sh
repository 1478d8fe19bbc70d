# SPDX-License-Identifier: LGPL-2.1-only
#
# Devices with vectors of their own, with the 2-level ABI: evtchn-devices.bash.
#
# Not saved: restored with this ABI, Linux 6.1 panics, also without the module and
# on a stock Xen: the IPI of its spinlocks, which is never to be delivered, comes
# as an upcall.

set -eu
. "$RIG_CASE_DIR/evtchn-devices.bash"

start_guest xen.fifo_events=0 | grep 2-level || rig_fail "not 2-level"
all_of_it
