# SPDX-License-Identifier: LGPL-2.1-only
#
# 200 times pulled out under load.

pulls=200
. /rig/host/cases/usb-pulled.sh
