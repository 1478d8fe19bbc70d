/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The options and help texts of the commands in cmd_usb.c.
 */
#include "cmd_usb_help.h"

#include "cmd.h"

#define WAIT_OPTION                                            \
    {                                                          \
        "wait", 'w', CMD_NEEDS_ARG, "SECONDS",                 \
            "how long guest and backend may take (default 40)" \
    }
#define DRY_RUN_OPTION                                              \
    {                                                               \
        "dry-run", 'n', CMD_NO_ARG, NULL,                           \
            "make all checks, print what would be done, do nothing" \
    }
#define FORCE_OPTION                                                          \
    {                                                                         \
        "force", 'f', CMD_NO_ARG, NULL,                                       \
            "even the last keyboard, a network card in use, a virtual device" \
    }

#define JSON_OPTION                                                    \
    {                                                                  \
        "json", 'j', CMD_NO_ARG, NULL,                                 \
            "print what was done as JSON (docs/usb.md has the schema)" \
    }

const struct cmd_option cmd_usb_hc_create_options[] = { WAIT_OPTION,
                                                        JSON_OPTION,
                                                        { 0 } };

const struct cmd_option cmd_usb_hc_destroy_options[] = { WAIT_OPTION, { 0 } };

const struct cmd_option cmd_usb_attach_options[] = {
    WAIT_OPTION,
    DRY_RUN_OPTION,
    FORCE_OPTION,
    JSON_OPTION,
    { "hub", 0, CMD_NO_ARG, NULL,
      "DEVICE is a hub: attach every device behind it" },
    { 0 }
};

const struct cmd_option cmd_usb_detach_options[] = {
    WAIT_OPTION,
    DRY_RUN_OPTION,
    FORCE_OPTION,
    { "move", 'm', CMD_NEEDS_ARG, "DOM2", "then attach it to this guest" },
    { "hub", 0, CMD_NO_ARG, NULL,
      "DEVICE is a hub: detach every device behind it" },
    { 0 }
};

const char cmd_usb_attach_details[] =
    "DEVICE is one of\n"
    "  1-2.3           the place where it is plugged in, as in lsusb -t: bus "
    "1,\n"
    "                  port 2, port 3 of the hub there\n"
    "  1.4             bus and address, as in lsusb\n"
    "  046d:c52b       vendor and product; add :SERIAL for identical devices\n"
    "usb-list-assignable-devices lists them. Without controller= and port=\n"
    "the device gets the first free port; if the guest has no controller, one\n"
    "is created. A guest with PVUSB has a backend process on this host, which\n"
    "ends with its last controller.\n"
    "\n"
    "The command returns when backend and guest have taken the device. If\n"
    "they do not, it restores the previous state and prints the reason. It\n"
    "refuses a device that this host needs itself or that its policy forbids.\n"
    "\n"
    "With --hub every device behind that hub is attached, and those behind\n"
    "hubs there, each to a port of its own. Each is judged by itself and has\n"
    "a line (with --json a line of JSON, as of usb-reconcile); the exit\n"
    "status is 1 if one could not be attached. For devices that are plugged\n"
    "in later, use usb-assign.\n"
    "\n"
    "Examples:\n"
    "  xl-ext usb-attach guest 1-2\n"
    "  xl-ext usb-attach guest 046d:c52b\n"
    "  xl-ext usb-attach guest 1-2.3 controller=0 port=4 --wait 30\n"
    "  xl-ext usb-attach guest 1-4 --hub\n"
    "  xl-ext usb-attach guest 0 4 1-2.3                the same in xm's form\n"
    "  xl-ext usbdev-attach guest hostbus=1 hostaddr=4  the same in xl's "
    "form\n";

const char cmd_usb_detach_details[] =
    "DEVICE is one that the guest has, named by\n"
    "  1-2.3           the place where it is plugged in, as usb-list shows it\n"
    "  1.4             bus and address, as in lsusb\n"
    "  046d:c52b       vendor and product; add :SERIAL for identical devices\n"
    "Instead, controller= and port= give its place in the guest, as usb-list\n"
    "shows it. To the guest the device is unplugged, and the driver that it\n"
    "had on this host gets it back. You can also detach a device that is no\n"
    "longer plugged in.\n"
    "\n"
    "With --move another guest gets it; if that guest does not take it, the\n"
    "first one gets it back.\n"
    "\n"
    "With --hub every device that the guest has from behind that hub is\n"
    "detached; each has a line, and the exit status is 1 if one cannot be.\n"
    "\n"
    "Examples:\n"
    "  xl-ext usb-detach guest 1-2\n"
    "  xl-ext usb-detach guest controller=0 port=1\n"
    "  xl-ext usb-detach guest 0 1                      the same in xm's form\n"
    "  xl-ext usb-detach guest 1-2 --move other\n"
    "  xl-ext usb-detach guest 1-4 --hub\n";

const char cmd_usb_hc_create_details[] =
    "type=qusb (served by xl-ext-usb-backend) and type=pv (served by the\n"
    "driver usbback of this host's kernel, or by xl-ext-usb-backend for a\n"
    "guest that has a QEMU of its own) need a PVUSB frontend driver in the\n"
    "guest (Linux: xen-hcd). version=1 takes devices up to full speed,\n"
    "version=2 (the default) faster ones too, on 1 to 31 ports (8).\n"
    "type=devicemodel is emulated for an HVM guest: version=3 (the default)\n"
    "takes all devices on 1 to 15 ports (8), version=2 takes high-speed\n"
    "devices on 6, version=1 slower ones on 2. Without type= the command\n"
    "chooses the type that fits the guest and prints it.\n"
    "\n"
    "Examples:\n"
    "  xl-ext usb-hc-create guest\n"
    "  xl-ext usb-hc-create guest version=1 ports=2\n"
    "  xl-ext usb-hc-create windows type=devicemodel\n"
    "  xl-ext usb-hc-create guest 2 8                   the same in xm's form\n"
    "  xl-ext usbctrl-attach guest version=2 ports=8    the same in xl's "
    "form\n";

const char cmd_usb_hc_destroy_details[] =
    "DEVID is the controller's number, as usb-list shows it. The command\n"
    "first detaches its devices.\n"
    "\n"
    "Example:\n"
    "  xl-ext usb-hc-destroy guest 0\n";
