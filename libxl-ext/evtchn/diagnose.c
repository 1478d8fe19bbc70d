/* SPDX-License-Identifier: LGPL-2.1-only */
#include "evtchn/diagnose.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/array.h"

struct findings {
    struct xlx_evtchn_finding *v;
    int nr;
    int rc;
};

static void __attribute__((format(printf, 3, 4)))
add_finding(struct findings *f, enum xlx_evtchn_finding_code code,
            const char *fmt, ...)
{
    struct xlx_evtchn_finding *v =
        f->rc ? NULL : xlx__array_more(f->v, (size_t)f->nr, sizeof(*v));
    va_list ap;
    if (!v) {
        f->rc = -ENOMEM;
        return;
    }
    f->v = v;
    v += f->nr++;
    *v = (struct xlx_evtchn_finding){ .code = code };
    va_start(ap, fmt);
    vsnprintf(v->text, sizeof(v->text), fmt, ap);
    va_end(ap);
}

/* The domain's own device, such as vif/0: not one that it serves to others. */
static bool is_own(const struct xlx_evtchn_port *port)
{
    return strchr(port->device, '/') && !strstr(port->device, " of domain ");
}

/* Whether both names are the same up to the first of `ends`. */
static bool same_up_to(const char *a, const char *b, const char *ends)
{
    size_t n = strcspn(a, ends);
    return n == strcspn(b, ends) && !strncmp(a, b, n);
}

/* The first port in the list that is of this one's kind, or device. */
static bool is_first(const struct xlx_evtchn_port *ports, uint32_t at,
                     const char *ends)
{
    for (uint32_t i = 0; i < at; i++)
        if (is_own(&ports[i]) &&
            same_up_to(ports[i].device, ports[at].device, ends))
            return false;
    return true;
}

/* All channels of a kind of device on one vCPU. */
static void look_at_kind(struct findings *f, const struct xlx_evtchn_info *info,
                         const struct xlx_evtchn_port *ports, uint32_t at)
{
    uint32_t nr = 0, vectors = 0;
    const char *name = ports[at].device;
    for (uint32_t i = at; i < info->nr_ports; i++) {
        if (!is_own(&ports[i]) || !same_up_to(ports[i].device, name, "/"))
            continue;
        if (ports[i].vcpu != ports[at].vcpu)
            return;
        nr++;
        vectors += ports[i].vector != 0;
    }
    if (nr > 1)
        add_finding(
            f, XLX_EVTCHN_ONE_VCPU,
            "%.*s: all %u channels interrupt vCPU %u of %u: %s",
            (int)strcspn(name, "/"), name, nr, ports[at].vcpu, info->vcpus,
            info->allowed && !vectors
                ? "see evtchn-spread, or set their affinity in the guest"
                : "set their affinity in the guest");
}

static bool has_queues(const char *kind)
{
    return !strncmp(kind, "vif/", 4) || !strncmp(kind, "vbd/", 4);
}

/* A disk or network device that cannot use more than one vCPU. */
static void look_at_device(struct findings *f,
                           const struct xlx_evtchn_info *info,
                           const struct xlx_evtchn_port *ports, uint32_t at)
{
    const char *name = ports[at].device;
    uint32_t queues = 0, last = 0;
    if (!has_queues(name))
        return;
    for (uint32_t i = at; i < info->nr_ports; i++) {
        const char *queue = strstr(ports[i].device, " queue ");
        if (!is_own(&ports[i]) || !same_up_to(ports[i].device, name, " "))
            continue;
        uint32_t number =
            queue ? (uint32_t)strtoul(queue + strlen(" queue "), NULL, 10) : 0;
        if (queues && number != last)
            return;
        queues = 1;
        last = number;
    }
    add_finding(
        f, XLX_EVTCHN_ONE_QUEUE,
        "%.*s: one queue for %u vCPUs: the backend's max_queues, or the "
        "guest's driver, allows no more",
        (int)strcspn(name, " "), name, info->vcpus);
}

static void look_at_host(struct findings *f, const struct xlx_evtchn_info *info)
{
    if (!info->vectors)
        add_finding(
            f, XLX_EVTCHN_NO_PATCH,
            "this hypervisor has no interrupt vectors for single channels: "
            "pending and masked flags, counts, evtchn-bind and "
            "evtchn-spread need the one that 'make hypervisor' builds");
    if (!info->hvm)
        add_finding(
            f, XLX_EVTCHN_PV,
            "a PV domain: it has no local APIC, so its channels cannot have "
            "vectors");
    else if (info->vectors && !info->allowed)
        add_finding(
            f, XLX_EVTCHN_FORBIDDEN,
            "vectors are switched off for this domain: its channels are on "
            "the upcall");
}

int xlx__evtchn_diagnose(const struct xlx_evtchn_info *info,
                         const struct xlx_evtchn_port *ports,
                         struct xlx_evtchn_finding **list_r)
{
    struct findings f = { 0 };
    for (uint32_t i = 0; info->vcpus > 1 && i < info->nr_ports; i++)
        if (is_own(&ports[i]) && is_first(ports, i, "/"))
            look_at_kind(&f, info, ports, i);
    for (uint32_t i = 0; info->vcpus > 1 && i < info->nr_ports; i++)
        if (is_own(&ports[i]) && is_first(ports, i, " "))
            look_at_device(&f, info, ports, i);
    look_at_host(&f, info);
    if (f.rc) {
        free(f.v);
        return f.rc;
    }
    *list_r = f.v;
    return f.nr;
}

const char *xlx_evtchn_finding_name(enum xlx_evtchn_finding_code code)
{
    static const char *const names[] = {
        [XLX_EVTCHN_ONE_VCPU] = "one-vcpu",
        [XLX_EVTCHN_ONE_QUEUE] = "one-queue",
        [XLX_EVTCHN_NO_PATCH] = "no-patch",
        [XLX_EVTCHN_PV] = "pv",
        [XLX_EVTCHN_FORBIDDEN] = "forbidden",
    };
    unsigned i = (unsigned)code;
    return i < XLX__NR(names) ? names[i] : "unknown";
}
