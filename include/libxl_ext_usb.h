/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * PVUSB: virtual USB controllers of a guest, and devices of this host attached
 * to their ports.
 *
 * State is kept where libxl keeps it, in xenstore, so that this library and
 * the distribution's xl see and undo each other's work. docs/usb.md has the
 * layout.
 *
 * A device is kept by its busid, the place where it is plugged in ("1-2.3", as
 * in /sys/bus/usb/devices). Where a call takes `device`, a caller may name it
 * by its busid; by bus and address ("1.4", as lsusb has them; a replug changes
 * the address); by vendor and product ("046d:c52b", hexadecimal); or by those
 * and the serial number ("046d:c52b:0123"). More than one match is -ENOTUNIQ,
 * and the text of the error lists them.
 *
 * Calls that change something take a lock per guest (and per device), either
 * do the whole or leave everything as it was, and end by `timeout_ms`, plus the
 * time to undo (XLX_USB_TIMEOUT_MS for who does not answer): they wait until
 * guest and backend have answered. A backend process that has to be started
 * first has XLX_USB_START_MS, or `timeout_ms` where it is more, of its own.
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
#define XLX_USB_SERIAL_MAX 384 /* Linux has up to 381 bytes of one */
#define XLX_USB_CONTROLLER_MAX 256
#define XLX_USB_REASON_MAX 256
#define XLX_USB_PORTS_MAX 31
#define XLX_USB_POLICY_FILE_MAX 80
#define XLX_USB_POLICY_RULE_MAX 64
#define XLX_USB_POLICY_INTFS_MAX 32
#define XLX_USB_ANY UINT32_MAX /* a controller or port: the first free one */

/*
 * What libxl gives a device (40 s) and the start of a device model (60 s): the
 * `timeout_ms` for a caller who has no better one.
 */
#define XLX_USB_TIMEOUT_MS 40000
#define XLX_USB_START_MS 60000

/*
 * What a controller is to libxl and to the guest. `auto` is devicemodel for an
 * HVM guest; for any other pv where the kernel has the driver usbback or where a
 * QEMU of the guest's own would take a qusb controller; else qusb.
 */
enum xlx_usb_type {
    XLX_USB_AUTO,        /* whichever fits the guest */
    XLX_USB_QUSB,        /* our backend on the host, to a PV frontend */
    XLX_USB_PV,          /* the host's usbback, or ours, to a PV frontend */
    XLX_USB_DEVICEMODEL, /* emulated by the guest's own device model */
};

/* One port; a port without a device has an empty busid. */
struct xlx_usb_port {
    uint32_t number; /* from 1 */
    char busid[XLX_USB_BUSID_MAX];
    bool present; /* the device is plugged into this host; else stale */
    uint16_t vendor, product;
    /* Maker and product as the device says, any bytes, NUL-terminated. */
    char name[XLX_USB_NAME_MAX];
};

struct xlx_usb_hc {
    uint32_t devid;
    enum xlx_usb_type type;
    uint32_t backend_domid;
    uint32_t state;   /* the backend's XenbusState; 4 is connected, 0 none */
    uint32_t version; /* 1 to 3 */
    uint32_t nr_ports;
    struct xlx_usb_port port[XLX_USB_PORTS_MAX];
};

/* What a new controller is to be. All zero: what suits most. */
struct xlx_usb_hc_config {
    enum xlx_usb_type type;
    /* qusb and pv: 1 or 2; devicemodel: 1 to 3. 0: the highest. */
    uint32_t version;
    /* qusb and pv: 1 to XLX_USB_PORTS_MAX; devicemodel: 2 with version 1, 6
     * with version 2, 1 to 15 with version 3. 0: 8, or what there has to be. */
    uint32_t ports;
};

/* A place in a guest. */
struct xlx_usb_place {
    uint32_t hc;   /* the controller's devid, or XLX_USB_ANY */
    uint32_t port; /* from 1, or XLX_USB_ANY */
};

/* What becomes of a USB device of this host; what is first in the order of
 * docs/usb.md counts. */
enum xlx_usb_state {
    XLX_USB_IS_FREE,
    XLX_USB_IS_ASSIGNED, /* to a guest that has not got it; else free */
    XLX_USB_IS_ATTACHED,
    XLX_USB_IS_IN_USE, /* this host keeps it */
    XLX_USB_IS_UNAUTHORIZED,
    XLX_USB_IS_FORBIDDEN, /* by the policy */
    XLX_USB_IS_HUB,
};

/* A USB device of this host. What it says of itself is any bytes. */
struct xlx_usb_device {
    char busid[XLX_USB_BUSID_MAX];
    uint32_t bus, address; /* as lsusb has them */
    uint32_t mbits;        /* 1 (low speed: 1.5), 12, 480, ...; 0 unknown */
    uint16_t vendor, product;
    bool hub;
    char name[XLX_USB_NAME_MAX];     /* maker and product */
    char serial[XLX_USB_SERIAL_MAX]; /* "" for none */

    bool assignable; /* nothing on this host speaks against giving it away */
    bool forceable;  /* what does, XLX_USB_FORCE overrides */
    char reason[XLX_USB_REASON_MAX]; /* what does; printable */

    bool assigned; /* to domid, at place */
    uint32_t domid;
    struct xlx_usb_place place;

    enum xlx_usb_state state;
    /* Who has it, or is to have it whatever its state is; "" for nobody, or for
     * a domain without a name. */
    char guest[XLX_GUEST_NAME_MAX];
};

/* How an attach, or an assignment, is done. */
enum xlx_usb_flags {
    /* The host's last keyboard, a network card that it uses and devices that
     * are not its own hardware (vhci, xen-hcd) may be given away. Nothing else
     * can be forced. An assignment keeps it for each time that the device is attached. */
    XLX_USB_FORCE = 1,
    /* All checks are made, nothing is changed; each step that would be taken
     * is logged at XLX_LOG_INFO. */
    XLX_USB_DRY_RUN = 2,
    /* Of an assignment: while the device is missing, something is wrong. */
    XLX_USB_REQUIRED = 4,
    /* Of an assignment: it ends when the guest has the device. One that lasts
     * is not replaced by it. */
    XLX_USB_ONCE = 8,
    /* Of an assignment: `device` is a busid, and whatever is plugged in there is
     * meant, now or later. */
    XLX_USB_BY_PLACE = 16,
    /* Of an assignment: `device` is the busid of a hub, and whatever is plugged
     * in behind it is meant, now or later. */
    XLX_USB_BY_HUB = 32,
};

/* A rule of the policy, as it is understood. */
struct xlx_usb_policy_rule {
    /* Where it stands; of a long path "..." and the end. */
    char file[XLX_USB_POLICY_FILE_MAX];
    uint32_t line; /* from 1; 0: no rule, and the two strings are empty */
    bool allow;
    char text[XLX_USB_POLICY_RULE_MAX]; /* "DENY: vid=046d class=03" */
};

/* What the policy says of one interface. */
struct xlx_usb_policy_intf {
    /* The interface's number, or -1 where a device has none (it is not
     * configured): the codes are the device's own then, and as its interfaces
     * may be anything, what denies any class denies it. */
    int number;
    bool inactive; /* only in another configuration or setting than the active */
    uint8_t class_code, subclass, protocol;
    struct xlx_usb_policy_rule rule; /* the first that matches */
};

/* What the policy says of a device: of its interfaces, then of what else it can
 * be, which its guest may choose. */
struct xlx_usb_policy_verdict {
    char busid[XLX_USB_BUSID_MAX];
    uint16_t vendor, product, release;
    bool allowed;
    /* What decided: the first of `intf` that is denied, or the first one when
     * all are allowed. */
    uint32_t decided;
    uint32_t nr_intfs; /* at least 1 */
    struct xlx_usb_policy_intf intf[XLX_USB_POLICY_INTFS_MAX];
    bool more_intfs; /* it has more, and any policy denies it for that */
};

/* "free", "assigned", "attached", "in-use", "not-authorized", "forbidden" or
 * "hub". Never NULL. */
const char *xlx_usb_state_name(enum xlx_usb_state state);

/* "auto", "qusb", "pv" or "devicemodel". Never NULL. */
const char *xlx_usb_type_name(enum xlx_usb_type type);

/*
 * The guest's controllers, sorted by devid, whoever made them. *list_r is to be
 * freed with free(); it is NULL when there are none.
 * Returns how many; -ESRCH no such domain.
 */
int xlx_usb_list(xlx_ctx *ctx, uint32_t domid, struct xlx_usb_hc **list_r);

/* How many requests took so long: less than 2^(i + 4) microseconds, the last one
 * any time. One of eight is timed. */
#define XLX_USB_LATENCIES 16

/* What has gone through a port since its device was plugged in. */
struct xlx_usb_stats {
    uint64_t requests; /* given to the device, or answered in its place */
    uint64_t errors;   /* of these, those that ended with one */
    uint64_t refused;  /* others, which no device may be asked */
    uint64_t bytes_in, bytes_out; /* as the guest sees it; without setup packets */
    uint64_t lost_packets;        /* isochronous packets that had an error */
    uint64_t latency[XLX_USB_LATENCIES];
};

/*
 * Reads what xl-ext-usb-backend counts, from XLX_PATH_RUN; wants no lock and
 * stops nobody, so the numbers need not be of one moment. `size` is
 * sizeof(*stats_r): a later version of the struct may have more at its end.
 *
 * 0; -ENODATA, without a report, where nobody counts: the controller is not
 * served by it, or the guest has not connected it; other -errno, reported.
 */
int xlx_usb_stats(xlx_ctx *ctx, uint32_t domid,
                  const struct xlx_usb_place *place,
                  struct xlx_usb_stats *stats_r, size_t size);

/*
 * All USB devices of this host but its root hubs, sorted by bus and ports, each
 * with whether it may be given to a guest and, if not, the first reason. Works
 * where no Xen runs, and there are no guests. What is written down for a guest and
 * cannot be read is reported and left out.
 * *list_r is to be freed with free(); it is NULL when there are none.
 * Returns how many.
 */
int xlx_usb_devices(xlx_ctx *ctx, struct xlx_usb_device **list_r);

/*
 * The busid of the one device that `device` names.
 *
 * -EINVAL    names no device; -ENOTSUP  a root hub
 * -ENODEV    none matches; -ENOTUNIQ  more than one does
 */
int xlx_usb_select(xlx_ctx *ctx, const char *device,
                   char busid_r[XLX_USB_BUSID_MAX]);

/*
 * Makes a controller and waits until the guest's driver has connected; one of
 * type devicemodel is there at once. Starts a backend process when the guest
 * needs one. xlx_usb_list() says what `auto` has become.
 *
 * -ESRCH      no such domain
 * -EINVAL     a config that no controller can have
 * -ENOTSUP    a type that this guest or this host cannot have
 * -EIO        the device model, or libxl, refuses
 * -ETIMEDOUT  guest or backend did not answer
 */
int xlx_usb_hc_create(xlx_ctx *ctx, uint32_t domid,
                      const struct xlx_usb_hc_config *config, int timeout_ms,
                      uint32_t *devid_r);

/*
 * The same with that number, or with the next one for XLX_USB_ANY. -EEXIST
 * there is one with that number.
 */
int xlx_usb_hc_create_as(xlx_ctx *ctx, uint32_t domid, uint32_t devid,
                         const struct xlx_usb_hc_config *config,
                         int timeout_ms, uint32_t *devid_r);

/*
 * Detaches the controller's devices, closes and removes it; ends the backend
 * process when that was the last controller that needed it. A guest that does
 * not answer in time loses the controller all the same.
 *
 * -ESRCH no such domain; -ENODEV no such controller; -ENOTSUP a controller
 * with its backend in another domain; -ETIMEDOUT the backend does not let go of
 * a device; -EIO the device model, or libxl, refuses.
 */
int xlx_usb_hc_destroy(xlx_ctx *ctx, uint32_t domid, uint32_t devid,
                       int timeout_ms);

/*
 * Attaches `device` at `place`, making a controller when place->hc is
 * XLX_USB_ANY and none has a free port for it. `flags` are of enum
 * xlx_usb_flags. Success means that the backend has the device and the guest is
 * told. *got_r is where it went.
 *
 * -ESRCH      no such domain
 * -EINVAL     names no device, no such port, a port without a controller
 * -ENODEV     no such device, no such controller
 * -ENOTUNIQ   more than one device matches
 * -ENOTSUP    a hub, or a device or guest this way does not work for
 * -EIO        the device model, or libxl, refuses
 * -EBUSY      assigned already, needed by this host, or the port is taken
 * -EACCES     forbidden by the policy
 * -ENOSPC     no free port
 * -ETIMEDOUT  guest or backend did not answer
 */
int xlx_usb_attach(xlx_ctx *ctx, uint32_t domid, const char *device,
                   const struct xlx_usb_place *place, unsigned flags,
                   int timeout_ms, struct xlx_usb_place *got_r);

/*
 * Where the guest has the device, and its busid (XLX_USB_BUSID_MAX bytes, or
 * NULL); a device that is not plugged in any more is found by its busid. -ESRCH
 * no such domain; -EINVAL names no device; -ENODEV not attached to this guest;
 * -ENOTUNIQ the guest has several that match.
 */
int xlx_usb_find(xlx_ctx *ctx, uint32_t domid, const char *device,
                 struct xlx_usb_place *place_r, char *busid_r);

/*
 * Takes the device at `place` from the guest and gives it back to the driver
 * it had on this host. `busid` is the one that is meant, as xlx_usb_find() or
 * xlx_usb_list() said; NULL is whichever is there. `busid_r` (XLX_USB_BUSID_MAX
 * bytes, or NULL) says which it was.
 *
 * -ESRCH no such domain; -ENODEV no such controller or no device there;
 * -EINVAL no such port; -EBUSY another device than `busid` is there by now;
 * -ETIMEDOUT the backend does not let go of it, and the port keeps it.
 */
int xlx_usb_detach(xlx_ctx *ctx, uint32_t domid,
                   const struct xlx_usb_place *place, const char *busid,
                   int timeout_ms, char *busid_r);

/*
 * Ends what commands that were killed have left behind: devices that were given
 * away and are on no port of any guest get their drivers back. xlx_usb_attach()
 * does that itself for the device it is about, xlx_usb_reconcile() for all. A
 * device that another command is at work for is left to that, and one that cannot be
 * repaired does not stop the others. Returns how many devices that were; else
 * -errno of the last that failed: -ETIMEDOUT somebody has claimed it.
 */
int xlx_usb_repair(xlx_ctx *ctx);

/*
 * Takes the device at `from` of one guest, which is `busid` or, for NULL, any,
 * and attaches it to another at `to`. What speaks against the other guest does so
 * before the first one loses it; when it does not take it all the same, the first
 * gets it back. Errors as those of xlx_usb_detach() and xlx_usb_attach().
 */
int xlx_usb_move(xlx_ctx *ctx, uint32_t from_domid,
                 const struct xlx_usb_place *from, const char *busid,
                 uint32_t to_domid, const struct xlx_usb_place *to,
                 unsigned flags, int timeout_ms, struct xlx_usb_place *got_r);

/*
 * Whether the policy of this host (XLX_PATH_USB_POLICY; docs/usb.md has its
 * rules) lets a guest have the device. Without a policy file every device is
 * allowed; with one, what no rule matches is denied. The files are read anew
 * by each call. On failure the device counts as denied.
 *
 * -EINVAL    names no device
 * -ENODEV    no such device
 * -ENOTUNIQ  more than one device matches
 * -ENOTSUP   a hub, which no guest gets
 * -EBADMSG   a line of the policy is broken: the text says which, and why
 * -E2BIG, -EFBIG  too many rules, too large a file; -errno of reading it
 */
int xlx_usb_policy_check(xlx_ctx *ctx, const char *device,
                         struct xlx_usb_policy_verdict *verdict_r);

/*
 * The verdicts on all devices of this host but hubs, sorted by busid. *list_r
 * is to be freed with free(); it is NULL when there are none. Returns how many;
 * fails as xlx_usb_policy_check() where the policy cannot be read.
 */
int xlx_usb_policy_check_all(xlx_ctx *ctx,
                             struct xlx_usb_policy_verdict **list_r);

/*
 * The rules in the order in which they are tried, and last, with line 0, what
 * becomes of a device that none of them matches. *list_r is to be freed with
 * free(). Returns how many, at least 1; fails as xlx_usb_policy_check() where
 * the policy cannot be read.
 */
int xlx_usb_policy_rules(xlx_ctx *ctx, struct xlx_usb_policy_rule **list_r);

/* --- it comes back: what a guest is to have ------------------------------- */

#define XLX_USB_CLASSES_MAX 32
#define XLX_USB_FACES_MAX 4
#define XLX_USB_WISHES_MAX 64
#define XLX_UUID_MAX 37 /* with the NUL; lower case */

/* Class, subclass and protocol of interfaces, as "080650". */
struct xlx_usb_face {
    /* Of each interface in all configurations and settings; else of those that
     * were in use, for a device whose descriptors could not be read. */
    bool whole;
    uint32_t nr_classes;
    char classes[XLX_USB_CLASSES_MAX][7];
};

/* What a device is known by when it comes back. */
struct xlx_usb_identity {
    /* Where it was plugged in; as it is called today, if the buses have got other
     * numbers and the controller is known and there. */
    char busid[XLX_USB_BUSID_MAX];
    /* The host controller there, for buses get their numbers anew at each boot:
     * "pci0000:00/0000:00:14.0/usb2", as in sysfs, and usb3 for the ports that
     * run at SuperSpeed; "" where it is not known. */
    char controller[XLX_USB_CONTROLLER_MAX];
    bool by_place; /* whatever is plugged in there; only `hub` counts below */
    bool hub;      /* and it is what is behind the hub there */
    uint16_t vendor, product;
    char serial[XLX_USB_SERIAL_MAX]; /* any bytes, "" for none */
    /* What it was when it was assigned: a telephone is one thing or another, as
     * its user chooses. At least one. */
    uint32_t nr_faces;
    struct xlx_usb_face face[XLX_USB_FACES_MAX];
};

/* One device that a guest is to have. */
struct xlx_usb_wish {
    struct xlx_usb_identity identity;
    bool required; /* while it is missing, something is wrong */
    bool once;     /* ends when the guest has the device */
    bool force;    /* attached with XLX_USB_FORCE */
    struct xlx_usb_place place;
};

/* All that one guest is to have. */
struct xlx_usb_intent {
    char uuid[XLX_UUID_MAX];
    char name[XLX_GUEST_NAME_MAX];
    uint32_t nr_wishes;
    struct xlx_usb_wish wish[XLX_USB_WISHES_MAX];
};

/*
 * Writes down that `guest` (the name or domid of a running guest, or the name
 * or UUID of one that something was written down for) is to have `device`,
 * which is plugged in now, wherever it is plugged in later. `place` NULL: any.
 * What was said about that device before is replaced; when it has other
 * interfaces now, it is known by both, up to XLX_USB_FACES_MAX of them. Attaches
 * nothing. `flags`
 * are XLX_USB_REQUIRED, XLX_USB_ONCE, XLX_USB_FORCE, and XLX_USB_BY_PLACE or
 * XLX_USB_BY_HUB, with which the port may be empty, and what comes there is
 * judged when it is to be attached. What speaks against an
 * attach right now (mounted, the last keyboard, ...) is only warned about, for it
 * may pass; what the policy forbids is refused without XLX_USB_FORCE.
 *
 * -ESRCH    no such guest
 * -EACCES   forbidden by the policy; what xlx_usb_policy_check() says of one
 *           that cannot be read
 * -EINVAL   names no device, or a place that cannot be
 * -ENODEV   no such device; -ENOTUNIQ more than one matches
 * -ENOTSUP  a hub, or, by hub, another device
 * -ENOSPC   XLX_USB_WISHES_MAX devices already
 * -EBADMSG  what is written down for the guest cannot be understood
 */
int xlx_usb_assign(xlx_ctx *ctx, const char *guest, const char *device,
                   unsigned flags, const struct xlx_usb_place *place);

/*
 * Takes back what was said about a device, which is named as it is listed, by the
 * place it was written down with, or, when it has a serial number, by where it is
 * now; NULL takes back all.
 * Detaches nothing. Returns how many; -ENOENT nothing is written down for the
 * guest or the device; -ENOTUNIQ more than one matches.
 */
int xlx_usb_unassign(xlx_ctx *ctx, const char *guest, const char *device);

/*
 * Takes back all that was assigned to the guest with XLX_USB_ONCE. Returns how
 * much; -ESRCH no such guest.
 */
int xlx_usb_unassign_once(xlx_ctx *ctx, const char *guest);

/*
 * Keeps every other command, and a watch, from changing anything about the
 * guest's USB until the descriptor that it returns is closed, which also the end
 * of the process does; also the calls above, by this process. -EBUSY another
 * command is at work still at the end of `timeout_ms`.
 */
int xlx_usb_hold(xlx_ctx *ctx, uint32_t domid, int timeout_ms);

/*
 * What is written down, sorted by name; `guest` NULL: for all guests. A file
 * that cannot be understood is warned about and left out, unless it is the
 * guest's. *list_r for free(), NULL when there is nothing. Returns how many.
 */
int xlx_usb_intent_list(xlx_ctx *ctx, const char *guest,
                        struct xlx_usb_intent **list_r);

/* What became of one device, or of one port. */
enum xlx_usb_outcome {
    XLX_USB_IN_PLACE,  /* nothing to do */
    XLX_USB_ATTACHED,  /* just now */
    XLX_USB_FREED,     /* a port that held on to a device that has gone */
    XLX_USB_WAITS,     /* not plugged in */
    XLX_USB_AMBIGUOUS, /* several are plugged in that it could be */
    XLX_USB_CHANGED,   /* plugged in, but it is another kind of device now */
    XLX_USB_TAKEN,     /* another guest has it, or comes first */
    XLX_USB_FAILED,    /* and is tried again by a watch */
};

/* "in-place", "attached", "freed", ... Never NULL. */
const char *xlx_usb_outcome_name(enum xlx_usb_outcome outcome);

/* Valid during the call it is handed to. */
struct xlx_usb_report {
    enum xlx_usb_outcome outcome;
    const char *guest; /* its name, or the file that cannot be read */
    uint32_t domid;
    const struct xlx_usb_wish *wish; /* NULL where it is about a port only */
    const char *busid;               /* where the device is, or was */
    struct xlx_usb_place place;      /* XLX_USB_ANY where there is none */
    const char *reason;              /* one line, "" for none */
};

/* Told about one device or port; called by the thread that reconciles. */
typedef void xlx_usb_report_fn(void *user, const struct xlx_usb_report *report);

/*
 * Attaches every device that is plugged in behind the hub, also behind hubs
 * there, as xlx_usb_attach() would each of them: judged by itself, to a free port
 * of place->hc or, for XLX_USB_ANY, of any controller. `report` is told about
 * each, with XLX_USB_IN_PLACE, XLX_USB_ATTACHED or XLX_USB_FAILED, no guest and no
 * wish. One failure does not stop the others. With XLX_USB_DRY_RUN each is looked
 * at as if it were the only one, and one that would be attached is not reported.
 *
 * Returns how many failed; -errno when nothing was tried:
 * -ENOTSUP  no hub, or a root hub
 * -ENODEV   no such hub, or nothing is behind it
 * -EINVAL   a port
 * and those of xlx_usb_attach() that are about the domain.
 */
int xlx_usb_attach_hub(xlx_ctx *ctx, uint32_t domid, const char *hub,
                       const struct xlx_usb_place *place, unsigned flags,
                       int timeout_ms, xlx_usb_report_fn *report, void *user);

/* What to reconcile; all zero: every guest. */
struct xlx_usb_reconcile_config {
    const char *guest; /* name, domid or UUID; NULL for all */
    int timeout_ms;    /* for each device; 0: XLX_USB_TIMEOUT_MS */
};

/*
 * Makes the world match what is written down, once: frees ports whose device
 * has gone or came back as another, attaches what is missing, tells `report`
 * about each device. One failure does not stop the others. `config` NULL: all.
 * A guest that does not run is left alone.
 *
 * Returns how many devices failed, or are required and missing; -errno when
 * there was no looking at all.
 */
int xlx_usb_reconcile(xlx_ctx *ctx,
                      const struct xlx_usb_reconcile_config *config,
                      xlx_usb_report_fn *report, void *user);

/*
 * The same again and again, when a device comes or goes, a guest starts or
 * ends, a controller changes, or what is written down does. `report` is told
 * what has changed since it was told before. A failure is tried again after
 * 1 s, then doubling up to 5 min, at once when the device or guest comes anew.
 */
typedef struct xlx_usb_watch xlx_usb_watch;

/* The context belongs to the watch until that is freed. -EBUSY there is one
 * already on this host. */
int xlx_usb_watch_new(xlx_ctx *ctx,
                      const struct xlx_usb_reconcile_config *config,
                      xlx_usb_report_fn *report, void *user,
                      xlx_usb_watch **watch_r);

/* NULL is allowed. What is attached stays so. */
void xlx_usb_watch_free(xlx_usb_watch *watch);

/* Readable when there is something to dispatch; the watch's own. */
int xlx_usb_watch_fd(const xlx_usb_watch *watch);

/*
 * Does what there is to do. Waits only for guests and backends that something
 * is attached to or detached from. -errno when the watch cannot go on; what
 * fails with one device is only reported.
 */
int xlx_usb_watch_dispatch(xlx_usb_watch *watch);

#ifdef __cplusplus
}
#endif

#endif
