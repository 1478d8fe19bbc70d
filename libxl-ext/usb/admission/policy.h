/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The USB policy: which devices of this host may be given to guests, in the
 * syntax of XAPI's usb-policy.conf. docs/usb.md has the rules. Parsing and
 * evaluating are pure; reading the files is in policy_file.c.
 */
#ifndef XLX_USB_ADMISSION_POLICY_H
#define XLX_USB_ADMISSION_POLICY_H

#include "core/names.h"
#include "usb/device/device.h"

#define XLX__POLICY_FILE_BYTES (1u << 20)
#define XLX__POLICY_RULES_MAX 4096u

enum xlx__policy_key {
    XLX__POLICY_VID,
    XLX__POLICY_PID,
    XLX__POLICY_REL,
    XLX__POLICY_CLASS,
    XLX__POLICY_SUBCLASS,
    XLX__POLICY_PROT,
    XLX__POLICY_KEYS
};

struct xlx__policy_rule {
    bool allow;
    unsigned keys; /* bit 1 << KEY: the rule has that key */
    uint16_t value[XLX__POLICY_KEYS];
    unsigned line; /* from 1 */
    size_t file;   /* in the policy's `files` */
};

/* All zero: no file, everything is allowed. With a file, even one without
 * rules, what no rule matches is denied. */
struct xlx__policy {
    struct xlx__names files; /* printable: other bytes are '?' */
    struct xlx__policy_rule *rule;
    size_t nr;
};

struct xlx__policy_error {
    unsigned line;
    char text[128]; /* printable */
};

struct xlx__policy_verdict {
    bool allowed;
    char rule[160]; /* "FILE:LINE: DENY: vid=..." or "" for no rule */
    int intf;       /* number of the interface that decided, -1 none/device */
};

/*
 * Appends the rules of a file. 0; -EBADMSG: *error_r says which line is broken
 * and why; -E2BIG: that line's rule is one too many; -ENOMEM.
 */
int xlx__policy_parse(struct xlx__policy *policy, const char *file,
                      const char *text, size_t len,
                      struct xlx__policy_error *error_r);

/*
 * The first rule that matches interface number `i`; NULL when none does. A
 * device without interfaces (it is not configured) may have any: a rule that
 * denies a class denies it, one that allows a class says nothing of it.
 */
const struct xlx__policy_rule *
xlx__policy_match(const struct xlx__policy *policy,
                  const struct xlx__usbdev *dev, unsigned i);

/* What the rule, or NULL, means. */
bool xlx__policy_allows(const struct xlx__policy *policy,
                        const struct xlx__policy_rule *rule);

/*
 * What is shown as interface number `i`: first those that the device has now,
 * then what else it can be, each class, subclass and protocol once, in any
 * other configuration or setting, which its guest may choose. For a device
 * without any, and i == 0, the device's own class.
 */
struct xlx__usbintf xlx__policy_intf(const struct xlx__usbdev *dev, unsigned i);

/* How many there are: at least one. */
unsigned xlx__policy_nr_intfs(const struct xlx__usbdev *dev);

/* Whether it has more that were not read. */
bool xlx__policy_more_intfs(const struct xlx__usbdev *dev);

/* The rule for people; of NULL: line 0 and no text. */
void xlx__policy_describe(const struct xlx__policy *policy,
                          const struct xlx__policy_rule *rule,
                          struct xlx_usb_policy_rule *rule_r);

/*
 * The verdict on a whole device: that on the first interface that is denied,
 * or, when it is allowed, on its first interface. A device with interfaces
 * that were not read is denied by any policy.
 */
void xlx__policy_check(const struct xlx__policy *policy,
                       const struct xlx__usbdev *dev,
                       struct xlx__policy_verdict *verdict_r);

/*
 * Reads XLX_PATH_USB_POLICY and the *.conf files of the folder of that name
 * with ".d" behind it. Files that are not there are none; *policy_r is never
 * NULL on success. What cannot be read or parsed is an error, and the caller
 * treats every device as denied then.
 *
 * -EBADMSG a broken line; -E2BIG, -EFBIG too many rules, too large a file;
 * -errno of opening and reading.
 */
int xlx__policy_load(xlx_ctx *ctx, struct xlx__policy **policy_r);

/* NULL is allowed. */
void xlx__policy_free(struct xlx__policy *policy);

#endif
