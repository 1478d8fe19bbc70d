# SPDX-License-Identifier: LGPL-2.1-only
#
# The devices of the rig's machine (host/machine.sh) and of what cases plug in.
CONFIG_Q35=y
CONFIG_VIRTIO_PCI=y
CONFIG_VIRTIO_SERIAL=y
CONFIG_VIRTIO_9P=y
CONFIG_USB_XHCI_PCI=y
CONFIG_USB_EHCI_PCI=y
CONFIG_USB_SERIAL=y
CONFIG_USB_STORAGE_CLASSIC=y
