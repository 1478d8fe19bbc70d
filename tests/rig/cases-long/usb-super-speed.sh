# SPDX-License-Identifier: LGPL-2.1-only
#
# 256 MiB to a SuperSpeed stick and back.

mib=256
. /rig/host/cases/usb-super-speed.sh
