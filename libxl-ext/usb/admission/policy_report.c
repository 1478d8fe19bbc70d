/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The policy for its reader: what it says of the devices of this host, and why.
 */
#include "usb/admission/policy.h"

#include <stdlib.h>
#include <string.h>

#include "core/array.h"
#include "core/clean.h"
#include "usb/device/selector.h"

static void free_policy(struct xlx__policy **policy)
{
    xlx__policy_free(*policy);
}

#define AUTO_POLICY XLX__CLEAN(free_policy)

static void report_intf(const struct xlx__policy *policy,
                        const struct xlx__usbdev *dev, unsigned i,
                        struct xlx_usb_policy_intf *out)
{
    struct xlx__usbintf intf = xlx__policy_intf(dev, i);
    *out = (struct xlx_usb_policy_intf){
        .number = dev->nr_intfs ? intf.number : -1,
        .inactive = dev->nr_intfs && i >= dev->nr_intfs,
        .class_code = intf.class,
        .subclass = intf.subclass,
        .protocol = intf.protocol,
    };
    xlx__policy_describe(policy, xlx__policy_match(policy, dev, i), &out->rule);
}

/* The same decision as xlx__policy_check(), with all that led to it. What does
 * not fit is left out, but for the first one that is denied: the last one goes.
 */
static void report_verdict(const struct xlx__policy *policy,
                           const struct xlx__usbdev *dev,
                           struct xlx_usb_policy_verdict *v)
{
    _Static_assert(XLX_USB_POLICY_INTFS_MAX >= XLX__USB_INTFS_MAX,
                   "all that it has now");
    struct xlx__policy_verdict verdict;
    bool denied = false;
    xlx__policy_check(policy, dev, &verdict);
    *v = (struct xlx_usb_policy_verdict){
        .vendor = dev->vendor,
        .product = dev->product,
        .release = dev->release,
        .allowed = verdict.allowed,
        .more_intfs = xlx__policy_more_intfs(dev),
    };
    memcpy(v->busid, dev->busid, sizeof(v->busid));
    for (unsigned i = 0; i < xlx__policy_nr_intfs(dev); i++) {
        struct xlx_usb_policy_intf intf;
        report_intf(policy, dev, i, &intf);
        bool first = !denied && !intf.rule.allow,
             room = v->nr_intfs < XLX_USB_POLICY_INTFS_MAX;
        if (first)
            v->decided = room ? v->nr_intfs : XLX_USB_POLICY_INTFS_MAX - 1;
        if (room)
            v->intf[v->nr_intfs++] = intf;
        else if (first)
            v->intf[v->decided] = intf;
        denied |= first;
    }
}

int xlx_usb_policy_check(xlx_ctx *ctx, const char *device,
                         struct xlx_usb_policy_verdict *verdict_r, size_t size)
{
    AUTO_POLICY struct xlx__policy *policy = NULL;
    struct xlx_usb_policy_verdict verdict;
    struct xlx__usbdev dev;
    int rc = xlx__select(ctx, device, &dev);
    if (!rc && dev.hub)
        return xlx__fail(ctx, ENOTSUP, "usb %s: is a hub, which no guest gets",
                         dev.busid);
    if (!rc)
        rc = xlx__policy_load(ctx, &policy);
    if (rc)
        return rc;
    report_verdict(policy, &dev, &verdict);
    xlx__copy_sized(verdict_r, size, &verdict, sizeof(verdict));
    return 0;
}

int xlx_usb_policy_check_all(xlx_ctx *ctx,
                             struct xlx_usb_policy_verdict **list_r,
                             size_t size)
{
    AUTO_POLICY struct xlx__policy *policy = NULL;
    XLX__AUTO_FREE struct xlx__usbdev *devs = NULL;
    struct xlx_usb_policy_verdict *list = NULL;
    int rc = xlx__policy_load(ctx, &policy), nr = 0;
    int nr_devs = rc ? rc : xlx__usbdev_list(ctx, &devs);
    if (nr_devs < 0)
        return nr_devs;
    if (nr_devs && !(list = calloc((size_t)nr_devs, sizeof(*list))))
        return xlx__fail(ctx, ENOMEM, "usb: no memory");
    for (int i = 0; i < nr_devs; i++)
        if (!devs[i].hub && !devs[i].unread)
            report_verdict(policy, &devs[i], &list[nr++]);
    if (!nr) {
        free(list);
        list = NULL;
    }
    *list_r = xlx__list_sized(list, nr, sizeof(*list), size);
    return nr && !*list_r ? xlx__fail(ctx, ENOMEM, "usb: no memory") : nr;
}

int xlx_usb_policy_rules(xlx_ctx *ctx, struct xlx_usb_policy_rule **list_r)
{
    AUTO_POLICY struct xlx__policy *policy = NULL;
    int rc = xlx__policy_load(ctx, &policy);
    if (rc)
        return rc;
    struct xlx_usb_policy_rule *list = calloc(policy->nr + 1, sizeof(*list));
    if (!list)
        return xlx__fail(ctx, ENOMEM, "usb: no memory");
    for (size_t i = 0; i < policy->nr; i++)
        xlx__policy_describe(policy, &policy->rule[i], &list[i]);
    xlx__policy_describe(policy, NULL, &list[policy->nr]);
    *list_r = list;
    return (int)policy->nr + 1;
}
