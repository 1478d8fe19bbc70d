# SPDX-License-Identifier: LGPL-2.1-only
#
# 1,000 plugs on one controller: run it with --timeout 3600.

plugs=1000
. /rig/host/cases/usb-plugs.sh
