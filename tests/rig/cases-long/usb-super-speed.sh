# SPDX-License-Identifier: LGPL-2.1-only
#
# 256 MiB to a SuperSpeed stick and back. On a host that does other work as well one
# way may take many minutes: run it with --timeout 3600.

mib=256 limit=1500
. /rig/host/cases/usb-super-speed.sh
