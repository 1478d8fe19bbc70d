/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The one table of commands.
 */
#include <string.h>

#include "cmd.h"
#include "cmd_evtchn.h"
#include "nearest.h"

static const struct cmd_option help_options[] = {
    { "commands", 0, CMD_NO_ARG, NULL, "print the names of all commands" },
    { "options", 0, CMD_NEEDS_ARG, "COMMAND", "print that command's options" },
    { "complete", 0, CMD_NO_ARG, NULL,
      "print completions of the last word after --, for shells" },
    { 0 }
};

const struct cmd cmd_table[] = {
    { "restore", "--lazy[=require]|--fast [OPTIONS] [CONFIG] FILE",
      "Restore a guest lazily, or eagerly and fast", cmd_restore_details,
      cmd_restore_options, cmd_restore_claims, cmd_restore },
    { "lazy-check", "[--json]", "Check whether this host can restore lazily",
      cmd_lazy_check_details, cmd_lazy_check_options, NULL, cmd_lazy_check },
    { "lazy-list", "[--json] [--watch]",
      "List the guests that were restored lazily", cmd_lazy_list_details,
      cmd_lazy_list_options, NULL, cmd_lazy_list },
    { "lazy-wait", "DOMAIN", "Wait until all memory of a guest is present",
      cmd_lazy_wait_details, cmd_lazy_wait_options, NULL, cmd_lazy_wait },
    { "lazy-finish", "DOMAIN", "Load all memory of a guest now, and wait",
      cmd_lazy_finish_details, cmd_lazy_wait_options, NULL, cmd_lazy_finish },
    { "lazy-set", "DOMAIN [--bwlimit=RATE] [--pause|--resume] [--retry]",
      "Control how a guest's memory is loaded", cmd_lazy_set_details,
      cmd_lazy_set_options, NULL, cmd_lazy_set },
    { "image-info", "[--pages] FILE", "Show what is in a save file",
      cmd_image_info_details, cmd_image_info_options, NULL, cmd_image_info },
    { "image-index", "FILE", "Write the sidecar of a save file",
      cmd_image_index_details, cmd_image_index_options, NULL, cmd_image_index },
    { "image-verify", "FILE", "Check a save file, and its pages by its sidecar",
      cmd_image_verify_details, cmd_image_index_options, NULL,
      cmd_image_verify },
    { "image-optimize", "FILE OUT | --in-place FILE",
      "Rewrite a save file in the order of its use", cmd_image_optimize_details,
      cmd_image_optimize_options, NULL, cmd_image_optimize },
    { "save", "[--usb=detach] [XL-OPTIONS] DOMAIN FILE",
      "Save a guest when all its memory is present", cmd_guard_details,
      cmd_guard_usb_options, NULL, cmd_guard },
    { "migrate", "[--usb=detach] [XL-OPTIONS] DOMAIN HOST",
      "Migrate a guest when all its memory is present", cmd_guard_details,
      cmd_guard_usb_options, NULL, cmd_guard },
    { "dump-core", "DOMAIN FILE",
      "Dump a guest's memory when all of it is present", cmd_guard_dump_details,
      NULL, NULL, cmd_guard },
    { "mem-set", "DOMAIN MEMORY",
      "Set a guest's memory when all of it is present", cmd_guard_mem_details,
      NULL, NULL, cmd_guard },
    { "mem-max", "DOMAIN MEMORY",
      "Limit a guest's memory when all of it is present", cmd_guard_mem_details,
      NULL, NULL, cmd_guard },
    { "usb-attach", "DOM DEVICE [controller=N] [port=N]",
      "Attach a USB device of this host to a guest", cmd_usb_attach_details,
      cmd_usb_attach_options, NULL, cmd_usb_attach },
    { "usb-detach", "DOM DEVICE | DOM controller=N port=N",
      "Detach a USB device from a guest", cmd_usb_detach_details,
      cmd_usb_detach_options, NULL, cmd_usb_detach },
    { "usb-list", "[DOM]", "List this host's USB devices, or those of a guest",
      cmd_usb_list_details, cmd_usb_list_options, NULL, cmd_usb_list },
    { "usb-list-assignable-devices", "",
      "List the USB devices that a guest can have", cmd_usb_devices_details,
      cmd_usb_devices_options, NULL, cmd_usb_devices },
    { "usb-hc-create",
      "DOM [version=1|2|3] [ports=1..31] [type=auto|qusb|pv|devicemodel]",
      "Give a guest a USB controller", cmd_usb_hc_create_details,
      cmd_usb_hc_create_options, NULL, cmd_usb_hc_create },
    { "usb-hc-destroy", "DOM DEVID", "Take a USB controller from a guest",
      cmd_usb_hc_destroy_details, cmd_usb_hc_destroy_options, NULL,
      cmd_usb_hc_destroy },
    { "usb-assign", "DOM DEVICE [controller=N] [port=N] | --list [DOM]",
      "Assign a USB device to a guest, now and later", cmd_usb_assign_details,
      cmd_usb_assign_options, NULL, cmd_usb_assign },
    { "usb-unassign", "DOM DEVICE | DOM --all",
      "Remove an assignment of usb-assign", cmd_usb_unassign_details,
      cmd_usb_unassign_options, NULL, cmd_usb_unassign },
    { "usb-reconcile", "[DOM]", "Attach assigned USB devices to their guests",
      cmd_usb_reconcile_details, cmd_usb_reconcile_options, NULL,
      cmd_usb_reconcile },
    { "usb-policy", "check [DEVICE] | list",
      "Show which USB devices guests may have", cmd_usb_policy_details,
      cmd_usb_policy_options, NULL, cmd_usb_policy },
    { "evtchn-list", "DOM [--json] [--watch]",
      "List the event channels of a domain", cmd_evtchn_list_details,
      cmd_evtchn_list_options, NULL, cmd_evtchn_list },
    { "evtchn-bind", "DOM PORT VCPU [VECTOR]",
      "Give an event channel a vector of its own", cmd_evtchn_bind_details,
      NULL, NULL, cmd_evtchn_bind },
    { "evtchn-unbind", "DOM PORT",
      "Return an event channel to its vCPU's upcall", cmd_evtchn_unbind_details,
      NULL, NULL, cmd_evtchn_unbind },
    { "evtchn-allow", "DOM on | off",
      "Set whether a guest's channels may have vectors",
      cmd_evtchn_allow_details, NULL, NULL, cmd_evtchn_allow },
    { "evtchn-spread", "DOM [--hot=N] [--dry-run | --watch]",
      "Spread the busiest channels over the vCPUs", cmd_evtchn_spread_details,
      cmd_evtchn_spread_options, NULL, cmd_evtchn_spread },
    { "evtchn-policy", "[DOM [--vectors=LIST | --remove]] [--json]",
      "Set or show which devices of a guest get vectors",
      cmd_evtchn_policy_details, cmd_evtchn_policy_options, NULL,
      cmd_evtchn_policy },
    /* upstream's names */
    { "usbdev-attach", "DOM hostbus=N hostaddr=N [controller=N] [port=N]",
      "As usb-attach", cmd_usb_attach_details, cmd_usb_attach_options, NULL,
      cmd_usb_attach },
    { "usbdev-detach", "DOM CONTROLLER PORT", "As usb-detach",
      cmd_usb_detach_details, cmd_usb_detach_options, NULL, cmd_usb_detach },
    { "usbctrl-attach", "DOM [type=T] [version=N] [ports=N]",
      "As usb-hc-create", cmd_usb_hc_create_details, cmd_usb_hc_create_options,
      NULL, cmd_usb_hc_create },
    { "usbctrl-detach", "DOM DEVID", "As usb-hc-destroy",
      cmd_usb_hc_destroy_details, cmd_usb_hc_destroy_options, NULL,
      cmd_usb_hc_destroy },
    { "doctor", "[--json]", "Show what this host lacks for these commands",
      cmd_doctor_details, cmd_doctor_options, NULL, cmd_doctor },
    { "install-front", "[--dir=DIR] [--remove]",
      "Let plain xl take these commands too", cmd_install_front_details,
      cmd_install_front_options, NULL, cmd_install_front },
    { "help", "[COMMAND] | --complete -- [WORD]...",
      "List the commands, or explain one", NULL, help_options, NULL, cmd_help },
    { "version", "[--json]", "Print the versions of Xen and libxl-ext",
      cmd_version_details, cmd_version_options, NULL, cmd_version },
    { 0 }
};

const struct cmd *cmd_find(const char *name)
{
    for (const struct cmd *c = cmd_table; c->name; c++)
        if (!strcmp(c->name, name))
            return c;
    return NULL;
}

const char *cmd_nearest(const char *name)
{
    const char *names[sizeof(cmd_table) / sizeof(cmd_table[0])];
    size_t n = 0;
    for (const struct cmd *c = cmd_table; c->name; c++)
        names[n++] = c->name;
    names[n] = NULL;
    return cmd_nearest_of(name, names);
}
