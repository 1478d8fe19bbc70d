/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * PVUSB: virtual USB controllers of a guest, and devices of this host attached
 * to their ports.
 *
 * The state is in xenstore, where libxl keeps it, so this library and the
 * distribution's xl see and undo each other's work. docs/usb.md has the layout.
 *
 * A device is stored by its busid, the place where it is plugged in ("1-2.3",
 * as in /sys/bus/usb/devices). If a call takes `device`, the caller may name it
 * by its busid; by bus and address ("1.4", as in lsusb; a replug changes the
 * address); by vendor and product ("046d:c52b", hexadecimal); or by those and
 * the serial number ("046d:c52b:0123"). More than one match is -ENOTUNIQ, and
 * the text of the error lists them.
 *
 * Calls that change something take a lock per guest (and per device). They
 * either complete or leave everything as it was. They wait until guest and
 * backend have answered, and end by `timeout_ms`, plus the time to undo
 * (XLX_USB_TIMEOUT_MS for a party that does not answer). If a backend process
 * has to be started first, that has another XLX_USB_START_MS, or `timeout_ms`
 * if that is more.
 */
#ifndef LIBXL_EXT_USB_H
#define LIBXL_EXT_USB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libxl_ext.h"

#ifdef __cplusplus
extern "C" {
#endif

#define XLX_USB_BUSID_MAX 32 /* with the NUL */
#define XLX_USB_NAME_MAX 128
#define XLX_USB_SERIAL_MAX 384 /* Linux stores up to 381 bytes */
#define XLX_USB_CONTROLLER_MAX 256
#define XLX_USB_REASON_MAX 256
#define XLX_USB_PORTS_MAX 31
#define XLX_USB_POLICY_FILE_MAX 80
#define XLX_USB_POLICY_RULE_MAX 64
#define XLX_USB_POLICY_INTFS_MAX 32
#define XLX_USB_ANY UINT32_MAX /* a controller or port: the first free one */

/*
 * libxl's time limits for a device (40 s) and for the start of a device model
 * (60 s). Use the first as `timeout_ms` unless you have a better one.
 */
#define XLX_USB_TIMEOUT_MS 40000
#define XLX_USB_START_MS 60000

/*
 * The type of a controller, for libxl and the guest. `auto` is devicemodel for
 * an HVM guest. For any other guest it is pv if the kernel has the driver
 * usbback, or if a QEMU of the guest's own would take a qusb controller;
 * otherwise qusb.
 */
enum xlx_usb_type {
    XLX_USB_AUTO,        /* the one that fits the guest */
    XLX_USB_QUSB,        /* our backend on the host, for a PV frontend */
    XLX_USB_PV,          /* the host's usbback, or ours, for a PV frontend */
    XLX_USB_DEVICEMODEL, /* emulated by the guest's own device model */
};

/* One port; a port without a device has an empty busid. */
struct xlx_usb_port {
    uint32_t number; /* from 1 */
    char busid[XLX_USB_BUSID_MAX];
    bool present; /* the device is plugged into this host; else stale */
    uint16_t vendor, product;
    /* Maker and product, from the device: any bytes, NUL-terminated. */
    char name[XLX_USB_NAME_MAX];
};

/* A controller of a guest. */
struct xlx_usb_hc {
    uint32_t devid;
    enum xlx_usb_type type;
    uint32_t backend_domid;
    uint32_t state;   /* the backend's XenbusState; 4 is connected, 0 none */
    uint32_t version; /* 1 to 3 */
    uint32_t nr_ports;
    /* The first `nr_ports`; they are freed with the list. */
    const struct xlx_usb_port *port[XLX_USB_PORTS_MAX];
};

/* The properties of a new controller. All zero are the defaults. */
struct xlx_usb_hc_config {
    enum xlx_usb_type type;
    /* qusb and pv: 1 or 2; devicemodel: 1 to 3. 0: the highest. */
    uint32_t version;
    /* qusb and pv: 1 to XLX_USB_PORTS_MAX; devicemodel: 2 with version 1, 6
     * with version 2, 1 to 15 with version 3. 0: 8, or the only one. */
    uint32_t ports;
};

/* A place in a guest. */
struct xlx_usb_place {
    uint32_t hc;   /* the controller's devid, or XLX_USB_ANY */
    uint32_t port; /* from 1, or XLX_USB_ANY */
};

/* The state of a USB device of this host. If several apply, the first one in
 * the order of docs/usb.md counts. */
enum xlx_usb_state {
    XLX_USB_IS_FREE,
    XLX_USB_IS_ASSIGNED, /* to a guest that does not have it; else free */
    XLX_USB_IS_ATTACHED,
    XLX_USB_IS_IN_USE, /* this host keeps it */
    XLX_USB_IS_UNAUTHORIZED,
    XLX_USB_IS_FORBIDDEN, /* by the policy */
    XLX_USB_IS_HUB,
};

/* A USB device of this host. Its own strings may have any bytes. */
struct xlx_usb_device {
    char busid[XLX_USB_BUSID_MAX];
    uint32_t bus, address; /* as in lsusb */
    uint32_t mbits;        /* 1 (low speed: 1.5), 12, 480, ...; 0 unknown */
    uint16_t vendor, product;
    bool hub;
    char name[XLX_USB_NAME_MAX];     /* maker and product */
    char serial[XLX_USB_SERIAL_MAX]; /* "" for none */

    bool assignable; /* nothing on this host prevents giving it away */
    bool forceable;  /* XLX_USB_FORCE overrides what prevents it */
    char reason[XLX_USB_REASON_MAX]; /* what prevents it; printable */

    bool assigned; /* to domid, at place */
    uint32_t domid;
    struct xlx_usb_place place;

    enum xlx_usb_state state;
    /* The guest that has it, or to which it is assigned, whatever its state
     * is; "" for none, or for a domain without a name. */
    char guest[XLX_GUEST_NAME_MAX];
};

/* Flags of an attach or an assignment. */
enum xlx_usb_flags {
    /* Allows giving away the host's last keyboard, a network card that it uses
     * and devices that are not its own hardware (vhci, xen-hcd). Nothing else
     * can be forced. An assignment keeps the flag for each attach. */
    XLX_USB_FORCE = 1,
    /* Makes all checks and changes nothing; logs each step that would be taken
     * at XLX_LOG_INFO. */
    XLX_USB_DRY_RUN = 2,
    /* Of an assignment: it is an error while the device is missing. */
    XLX_USB_REQUIRED = 4,
    /* Of an assignment: it ends when the guest has the device. It does not
     * replace a lasting assignment. */
    XLX_USB_ONCE = 8,
    /* Of an assignment: `device` is a busid; whatever is plugged in there, now
     * or later, is assigned. */
    XLX_USB_BY_PLACE = 16,
    /* Of an assignment: `device` is the busid of a hub; whatever is plugged in
     * behind it, now or later, is assigned. */
    XLX_USB_BY_HUB = 32,
};

/* A rule of the policy, as parsed: complete. */
struct xlx_usb_policy_rule {
    /* The file that contains it; of a long path "..." and the end. */
    char file[XLX_USB_POLICY_FILE_MAX];
    uint32_t line; /* from 1; 0: no rule, and the two strings are empty */
    bool allow;
    char text[XLX_USB_POLICY_RULE_MAX]; /* "DENY: vid=046d class=03" */
};

/* The policy's verdict on one interface: complete. */
struct xlx_usb_policy_intf {
    /* The interface's number, or -1 if the device has none (it is not
     * configured). Then the codes are the device's own, and as its interfaces
     * may be anything, a rule that denies any class denies it. */
    int number;
    bool inactive; /* not in the active configuration or setting */
    uint8_t class_code, subclass, protocol;
    struct xlx_usb_policy_rule rule; /* the first that matches */
};

/* The policy's verdict on a device: on its interfaces, then on those of its
 * other configurations and settings, which its guest may choose. */
struct xlx_usb_policy_verdict {
    char busid[XLX_USB_BUSID_MAX];
    uint16_t vendor, product, release;
    bool allowed;
    /* The index of the deciding one: the first of `intf` that is denied, or the
     * first one if all are allowed. */
    uint32_t decided;
    uint32_t nr_intfs; /* at least 1 */
    struct xlx_usb_policy_intf intf[XLX_USB_POLICY_INTFS_MAX];
    bool more_intfs; /* it has more, for which any policy denies it */
};

/* "free", "assigned", "attached", "in-use", "not-authorized", "forbidden" or
 * "hub". Never NULL. */
const char *xlx_usb_state_name(enum xlx_usb_state state);

/* "auto", "qusb", "pv" or "devicemodel". Never NULL. */
const char *xlx_usb_type_name(enum xlx_usb_type type);

/*
 * Lists the guest's controllers, sorted by devid, whoever created them. Free
 * *list_r with free(); it is NULL if there are none. `size` is
 * sizeof(**list_r). Returns how many; -ESRCH no such domain.
 */
int xlx_usb_list(xlx_ctx *ctx, uint32_t domid, struct xlx_usb_hc **list_r,
                 size_t size);

/* latency[i] counts the requests that took less than 2^(i + 4) microseconds,
 * the last one all longer ones. One request of eight is timed. */
#define XLX_USB_LATENCIES 16

/* The counts of a port since its device was plugged in. */
struct xlx_usb_stats {
    uint64_t requests; /* sent to the device, or answered for it */
    uint64_t errors;   /* of these, those that ended with an error */
    uint64_t refused;  /* others, which no guest may send to a device */
    uint64_t bytes_in, bytes_out; /* the guest's view, no setup packets */
    uint64_t lost_packets;        /* isochronous packets that had an error */
    uint64_t latency[XLX_USB_LATENCIES];
};

/*
 * Reads the counts of xl-ext-usb-backend from XLX_PATH_RUN. Takes no lock and
 * stops nobody, so the numbers need not be from one moment. `size` is
 * sizeof(*stats_r): a later version of the struct may have more at its end.
 *
 * 0; -ENODATA, not logged, if nothing is counted: that backend does not
 * serve the controller, or the guest has not connected it; other -errno,
 * reported.
 */
int xlx_usb_stats(xlx_ctx *ctx, uint32_t domid,
                  const struct xlx_usb_place *place,
                  struct xlx_usb_stats *stats_r, size_t size);

/*
 * Lists all USB devices of this host except its root hubs, sorted by bus and
 * ports, each with whether a guest may get it and, if not, the first reason.
 * Also works without Xen; then there are no guests. The assignments of a guest
 * that cannot be read are reported and left out. Free *list_r with free(); it
 * is NULL if there are none. `size` is sizeof(**list_r). Returns how many.
 */
int xlx_usb_devices(xlx_ctx *ctx, struct xlx_usb_device **list_r, size_t size);

/*
 * Finds the busid of the one device that `device` names.
 *
 * -EINVAL    not the name of a device; -ENOTSUP  a root hub
 * -ENODEV    none matches; -ENOTUNIQ  more than one does
 */
int xlx_usb_select(xlx_ctx *ctx, const char *device,
                   char busid_r[XLX_USB_BUSID_MAX]);

/*
 * Creates a controller and waits until the guest's driver has connected; one of
 * type devicemodel is there at once. Starts a backend process if the guest
 * needs one. xlx_usb_list() reports the type that `auto` chose. `size` is
 * sizeof(*config).
 *
 * -ESRCH      no such domain
 * -EINVAL     a config that no controller can have
 * -E2BIG      a config of a newer version sets what this one does not have
 * -ENOTSUP    a type that this guest or this host cannot have
 * -EIO        the device model, or libxl, refuses
 * -ETIMEDOUT  guest or backend did not answer
 */
int xlx_usb_hc_create(xlx_ctx *ctx, uint32_t domid,
                      const struct xlx_usb_hc_config *config, size_t size,
                      int timeout_ms, uint32_t *devid_r);

/*
 * The same with the number `devid`, or with the next one for XLX_USB_ANY.
 * -EEXIST there is a controller with that number.
 */
int xlx_usb_hc_create_as(xlx_ctx *ctx, uint32_t domid, uint32_t devid,
                         const struct xlx_usb_hc_config *config, size_t size,
                         int timeout_ms, uint32_t *devid_r);

/*
 * Detaches the controller's devices, closes and removes it. Ends the backend
 * process if that was the last controller that needed it. A guest that does not
 * answer in time loses the controller anyway.
 *
 * -ESRCH no such domain; -ENODEV no such controller; -ENOTSUP a controller
 * with its backend in another domain; -ETIMEDOUT the backend does not release a
 * device; -EIO the device model, or libxl, refuses.
 */
int xlx_usb_hc_destroy(xlx_ctx *ctx, uint32_t domid, uint32_t devid,
                       int timeout_ms);

/*
 * Attaches `device` at `place`. Creates a controller if place->hc is
 * XLX_USB_ANY and none has a free port for it. `flags` are of enum
 * xlx_usb_flags. Success means that the backend has the device and the guest is
 * notified. *got_r is its place in the guest.
 *
 * -ESRCH      no such domain
 * -EINVAL     not the name of a device, no such port, a port without controller
 * -ENODEV     no such device, no such controller
 * -ENOTUNIQ   more than one device matches
 * -ENOTSUP    a hub, or a device or guest for which this does not work
 * -EIO        the device model, or libxl, refuses
 * -EBUSY      attached already, needed by this host, or the port is taken
 * -EACCES     forbidden by the policy
 * -ENOSPC     no free port
 * -ETIMEDOUT  guest or backend did not answer
 */
int xlx_usb_attach(xlx_ctx *ctx, uint32_t domid, const char *device,
                   const struct xlx_usb_place *place, unsigned flags,
                   int timeout_ms, struct xlx_usb_place *got_r);

/*
 * Finds the place of a device in the guest, and its busid (XLX_USB_BUSID_MAX
 * bytes, or NULL). A device that is no longer plugged in is found by its busid.
 * -ESRCH no such domain; -EINVAL not the name of a device; -ENODEV not attached
 * to this guest; -ENOTUNIQ the guest has several that match.
 */
int xlx_usb_find(xlx_ctx *ctx, uint32_t domid, const char *device,
                 struct xlx_usb_place *place_r, char *busid_r);

/*
 * Detaches the device at `place` from the guest and gives it back to the driver
 * that it had on this host. `busid` is the expected device, from xlx_usb_find()
 * or xlx_usb_list(); NULL means any. `busid_r` (XLX_USB_BUSID_MAX bytes, or
 * NULL) returns which it was.
 *
 * -ESRCH no such domain; -ENODEV no such controller or no device there;
 * -EINVAL no such port; -EBUSY another device than `busid` is there by now;
 * -ETIMEDOUT the backend does not release it, and the port keeps it.
 */
int xlx_usb_detach(xlx_ctx *ctx, uint32_t domid,
                   const struct xlx_usb_place *place, const char *busid,
                   int timeout_ms, char *busid_r);

/*
 * Repairs what killed commands have left behind: devices that were given away
 * and are on no port of any guest get their drivers back. xlx_usb_attach() does
 * that for its own device, xlx_usb_reconcile() for all. It skips a device that
 * another command works on, and a device that cannot be repaired does not stop
 * the others. Returns the number of repaired devices; or -errno of the last
 * that failed: -ETIMEDOUT a program has claimed it.
 */
int xlx_usb_repair(xlx_ctx *ctx);

/*
 * Detaches the device at `from` from one guest, which is `busid` or, for NULL,
 * any, and attaches it to another at `to`. The checks for the other guest are
 * made before the first one loses the device. If the other one does not take it
 * all the same, the first one gets it back. Errors as those of xlx_usb_detach()
 * and xlx_usb_attach().
 */
int xlx_usb_move(xlx_ctx *ctx, uint32_t from_domid,
                 const struct xlx_usb_place *from, const char *busid,
                 uint32_t to_domid, const struct xlx_usb_place *to,
                 unsigned flags, int timeout_ms, struct xlx_usb_place *got_r);

/*
 * Checks whether the policy of this host (XLX_PATH_USB_POLICY; docs/usb.md has
 * its rules) lets a guest have the device. Without a policy file every device
 * is allowed; with one, what no rule matches is denied. Each call reads the
 * files. On failure the device counts as denied. `size` is sizeof(*verdict_r).
 *
 * -EINVAL    not the name of a device
 * -ENODEV    no such device
 * -ENOTUNIQ  more than one device matches
 * -ENOTSUP   a hub, which no guest gets
 * -EBADMSG   a line of the policy is malformed: the text says which, and why
 * -E2BIG, -EFBIG  too many rules, too large a file; -errno of reading it
 */
int xlx_usb_policy_check(xlx_ctx *ctx, const char *device,
                         struct xlx_usb_policy_verdict *verdict_r, size_t size);

/*
 * Returns the verdicts on all devices of this host except hubs, sorted by
 * busid. Free *list_r with free(); it is NULL if there are none. `size` is
 * sizeof(**list_r). Returns how many; fails as xlx_usb_policy_check() if the
 * policy cannot be read.
 */
int xlx_usb_policy_check_all(xlx_ctx *ctx,
                             struct xlx_usb_policy_verdict **list_r,
                             size_t size);

/*
 * Lists the rules in the order in which they are tried, and last, with line 0,
 * the verdict on a device that none of them matches. Free *list_r with free().
 * Returns how many, at least 1; fails as xlx_usb_policy_check() if the policy
 * cannot be read.
 */
int xlx_usb_policy_rules(xlx_ctx *ctx, struct xlx_usb_policy_rule **list_r);

/* --- assignments ---------------------------------------------------------- */

#define XLX_USB_CLASSES_MAX 32
#define XLX_USB_FACES_MAX 4
#define XLX_USB_ASSIGNMENTS_MAX 64

/* Class, subclass and protocol of interfaces, as "080650": complete. */
struct xlx_usb_face {
    /* Of each interface in all configurations and settings; else only of the
     * active ones, for a device whose descriptors could not be read. */
    bool whole;
    uint32_t nr_classes;
    char classes[XLX_USB_CLASSES_MAX][7];
};

/* The properties by which a device is recognized when it comes back. */
struct xlx_usb_identity {
    /* The place where it was plugged in, by its present name if the buses have
     * new numbers and the controller is known and there. */
    char busid[XLX_USB_BUSID_MAX];
    /* The host controller of that place, because buses get new numbers at each
     * boot: "pci0000:00/0000:00:14.0/usb2", as in sysfs, and usb3 for the ports
     * that run at SuperSpeed; "" if it is not known. */
    char controller[XLX_USB_CONTROLLER_MAX];
    bool by_place; /* any device that is plugged in there; of the below
                    * only `hub` counts */
    bool hub;      /* and it is any device behind the hub there */
    uint16_t vendor, product;
    char serial[XLX_USB_SERIAL_MAX]; /* any bytes, "" for none */
    /* The forms in which it was assigned: a telephone has several, as its user
     * chooses. At least one. */
    uint32_t nr_faces;
    struct xlx_usb_face face[XLX_USB_FACES_MAX];
};

/* One assignment of a guest. */
struct xlx_usb_assignment {
    char uuid[XLX_UUID_MAX]; /* the guest's, and its name */
    char guest[XLX_GUEST_NAME_MAX];
    const struct xlx_usb_identity *identity; /* is freed with the list */
    bool required; /* it is an error while it is missing */
    bool once;     /* ends when the guest has the device */
    bool force;    /* attached with XLX_USB_FORCE */
    struct xlx_usb_place place;
};

/*
 * Assigns `device`, which is plugged in now, to `guest`, wherever it is plugged
 * in later. `guest` is the name or domid of a running guest, or the name or
 * UUID of one that has assignments. `place` NULL: any. Replaces an earlier
 * assignment of that device. If it has other interfaces now, it is recognized
 * by both, up to XLX_USB_FACES_MAX of them. Attaches nothing. `flags` are
 * XLX_USB_REQUIRED, XLX_USB_ONCE, XLX_USB_FORCE, and XLX_USB_BY_PLACE or
 * XLX_USB_BY_HUB. With the last two the port may be empty, and a device there
 * is checked when it is to be attached. What prevents an attach right now
 * (mounted, the last keyboard, ...) causes only a warning, because it may pass.
 * What the policy forbids is refused without XLX_USB_FORCE.
 *
 * -ESRCH    no such guest
 * -EACCES   forbidden by the policy; for a policy that cannot be read, the
 *           error of xlx_usb_policy_check()
 * -EINVAL   not the name of a device, or an impossible place
 * -ENODEV   no such device; -ENOTUNIQ more than one matches
 * -ENOTSUP  a hub, or, by hub, another device
 * -ENOSPC   XLX_USB_ASSIGNMENTS_MAX devices already
 * -EBADMSG  the guest's file of assignments cannot be understood
 */
int xlx_usb_assign(xlx_ctx *ctx, const char *guest, const char *device,
                   unsigned flags, const struct xlx_usb_place *place);

/*
 * Removes the assignment of a device. Name the device as it is listed, by the
 * place with which it was assigned, or, if it has a serial number, by the place
 * where it is now; NULL removes all. Detaches nothing. Returns how many;
 * -ENOENT there is no assignment of the guest or the device; -ENOTUNIQ more
 * than one matches.
 */
int xlx_usb_unassign(xlx_ctx *ctx, const char *guest, const char *device);

/*
 * Removes all assignments of the guest with XLX_USB_ONCE. Returns how many;
 * -ESRCH no such guest.
 */
int xlx_usb_unassign_once(xlx_ctx *ctx, const char *guest);

/*
 * Prevents every other command, a watch, and the calls above in this process
 * from changing anything about the guest's USB, until the returned descriptor
 * is closed; the end of the process closes it, too. -EBUSY another command is
 * still running at the end of `timeout_ms`.
 */
int xlx_usb_hold(xlx_ctx *ctx, uint32_t domid, int timeout_ms);

/*
 * Lists the assignments, those of a guest one after the other and the guests
 * sorted by name; `guest` NULL: of all guests. A file that cannot be understood
 * causes a warning and is left out, unless it is the named guest's. Free
 * *list_r with free(); it is NULL if there is nothing. `size` is
 * sizeof(**list_r). Returns how many.
 */
int xlx_usb_assignments(xlx_ctx *ctx, const char *guest,
                        struct xlx_usb_assignment **list_r, size_t size);

/* The outcome for one device, or for one port. */
enum xlx_usb_outcome {
    XLX_USB_IN_PLACE,  /* nothing to do */
    XLX_USB_ATTACHED,  /* just now */
    XLX_USB_FREED,     /* a port whose device is gone */
    XLX_USB_WAITS,     /* not plugged in */
    XLX_USB_AMBIGUOUS, /* several devices that match are plugged in */
    XLX_USB_CHANGED,   /* plugged in, but it is another kind of device now */
    XLX_USB_TAKEN,     /* another guest has it, or has precedence */
    XLX_USB_FAILED,    /* and is tried again by a watch */
};

/* "in-place", "attached", "freed", ... Never NULL. */
const char *xlx_usb_outcome_name(enum xlx_usb_outcome outcome);

/* Valid during the call that gets it. */
struct xlx_usb_report {
    enum xlx_usb_outcome outcome;
    const char *guest; /* its name, or the file that cannot be read */
    uint32_t domid;
    /* NULL if it is about a port only. */
    const struct xlx_usb_assignment *assignment;
    const char *busid;          /* where the device is, or was */
    struct xlx_usb_place place; /* XLX_USB_ANY if there is none */
    const char *reason;         /* one line, or "" */
};

/* Called for one device or port, by the thread that reconciles. */
typedef void xlx_usb_report_fn(void *user, const struct xlx_usb_report *report);

/*
 * Attaches every device that is plugged in behind the hub, also behind hubs
 * there, each as xlx_usb_attach() would: judged by itself, to a free port of
 * place->hc or, for XLX_USB_ANY, of any controller. Calls `report` for each,
 * with XLX_USB_IN_PLACE, XLX_USB_ATTACHED or XLX_USB_FAILED, no guest and no
 * assignment. One failure does not stop the others. With XLX_USB_DRY_RUN each
 * is checked as if it were the only one, and one that would be attached is not
 * reported.
 *
 * Returns how many failed; -errno if nothing was tried:
 * -ENOTSUP  not a hub, or a root hub
 * -ENODEV   no such hub, or nothing is behind it
 * -EINVAL   a port
 * and those of xlx_usb_attach() about the domain.
 */
int xlx_usb_attach_hub(xlx_ctx *ctx, uint32_t domid, const char *hub,
                       const struct xlx_usb_place *place, unsigned flags,
                       int timeout_ms, xlx_usb_report_fn *report, void *user);

/*
 * Detaches every device that the guest has from behind the hub, also from
 * behind hubs there, one after the other; `hub` is any name of it, or its place
 * where it has been pulled out. `report` is told about each, with XLX_USB_FREED
 * and where it was, or XLX_USB_FAILED, without guest and assignment. One
 * failure does not stop the others. With XLX_USB_DRY_RUN none is detached or
 * reported. What is assigned to the guest stays so.
 *
 * Returns how many failed; -errno when nothing was tried:
 * -ENOTSUP  no hub
 * -ENODEV   no such hub, or the guest has nothing from behind it
 * and those of xlx_usb_detach() that are about the domain.
 */
int xlx_usb_detach_hub(xlx_ctx *ctx, uint32_t domid, const char *hub,
                       unsigned flags, int timeout_ms,
                       xlx_usb_report_fn *report, void *user);

/* What to reconcile; all zero: every guest. */
struct xlx_usb_reconcile_config {
    const char *guest; /* name, domid or UUID; NULL for all */
    int timeout_ms;    /* for each device; 0: XLX_USB_TIMEOUT_MS */
};

/*
 * Makes one pass over the assignments: frees ports whose device is gone or came
 * back as another, attaches what is missing, and calls `report` for each
 * device. One failure does not stop the others. `config` NULL: all; `size` is
 * sizeof(*config). Skips a guest that does not run. Before that, each guest
 * whose USB backend was killed gets another one, which is logged as a warning.
 *
 * Returns how many devices failed, or are required and missing; -errno if the
 * state could not be read; -E2BIG a config of a newer version sets what this
 * one does not have.
 */
int xlx_usb_reconcile(xlx_ctx *ctx,
                      const struct xlx_usb_reconcile_config *config,
                      size_t size, xlx_usb_report_fn *report, void *user);

/*
 * A watch repeats that when a device appears or disappears, a guest starts or
 * ends, or a controller or an assignment changes. It calls `report` for what
 * has changed since the last call. It repeats a failure after 1 s, then
 * doubling up to 5 min, and at once when the device or guest appears again.
 */
typedef struct xlx_usb_watch xlx_usb_watch;

/* The context belongs to the watch until that is freed. `config` and `size` as
 * above. -EBUSY this host has a watch already. */
int xlx_usb_watch_new(xlx_ctx *ctx,
                      const struct xlx_usb_reconcile_config *config,
                      size_t size, xlx_usb_report_fn *report, void *user,
                      xlx_usb_watch **watch_r);

/* NULL is allowed. Attached devices stay attached. */
void xlx_usb_watch_free(xlx_usb_watch *watch);

/* Readable when there is something to dispatch; the watch owns it. */
int xlx_usb_watch_fd(const xlx_usb_watch *watch);

/*
 * Does what is due. Waits only for guests and backends to which a device is
 * attached or from which it is detached. -errno if the watch cannot continue; a
 * failure with one device is only reported.
 */
int xlx_usb_watch_dispatch(xlx_usb_watch *watch);

#ifdef __cplusplus
}
#endif

#endif
