# SPDX-License-Identifier: LGPL-2.1-only
#
# Devices with vectors of their own, with the FIFO ABI: evtchn-devices.bash.

set -eu
. "$RIG_CASE_DIR/evtchn-devices.bash"

start_guest | grep FIFO || rig_fail "not FIFO"
all_of_it saved
