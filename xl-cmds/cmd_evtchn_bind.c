/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * evtchn-bind, evtchn-unbind, evtchn-allow.
 */
#include <stdlib.h>
#include <string.h>

#include "cmd_evtchn.h"
#include "libxl_ext_evtchn.h"

const char cmd_evtchn_bind_details[] =
    "PORT is the guest's number, as evtchn-list shows it. VECTOR, 0x20 to\n"
    "0xff, has to be one that the guest offers on that vCPU; without it the\n"
    "command uses the first free one. A guest that binds its channels\n"
    "itself, as the Linux module xen-vec does, is asked, and chooses the\n"
    "vector. The channel interrupts VCPU with that vector until\n"
    "evtchn-unbind, or until the guest closes the channel or is saved.\n"
    "\n"
    "This works only for HVM and PVH guests, on a hypervisor that has vectors\n"
    "for single channels (make hypervisor).\n"
    "\n"
    "Examples:\n"
    "  xl-ext evtchn-bind guest 22 1\n"
    "  xl-ext evtchn-bind guest 22 1 0x51\n";

const char cmd_evtchn_unbind_details[] =
    "Returns the channel to the upcall, on the vCPU where the guest had it.\n"
    "A guest that binds its channels itself is asked to do that, if its\n"
    "driver can be asked.\n"
    "\n"
    "Examples:\n"
    "  xl-ext evtchn-unbind guest 22\n";

const char cmd_evtchn_allow_details[] =
    "off returns all channels of the guest to the upcall, also those that it\n"
    "bound itself, and keeps them there. Use it for a guest whose vectors\n"
    "cause problems. on, the initial state, lets the guest and evtchn-bind\n"
    "use vectors again. The setting lasts until the guest is saved, migrated\n"
    "or rebooted.\n"
    "\n"
    "Examples:\n"
    "  xl-ext evtchn-allow guest off\n";

#define PORT_MAX 131071u
#define VCPU_MAX 8191u

/* 0x51 or 81. Whether it can be one is the library's to say. */
static bool read_vector(const char *text, uint8_t *vector_r)
{
    static const char hex[] = "0123456789abcdefABCDEF";
    const char *digits = text + 2;
    uint32_t value;
    if (strncmp(text, "0x", 2)) {
        if (!cmd_read_number(text, 1, 255, &value))
            return false;
    } else {
        if (!*digits || strlen(digits) > 2 ||
            strspn(digits, hex) != strlen(digits))
            return false;
        value = (uint32_t)strtoul(digits, NULL, 16);
    }
    *vector_r = (uint8_t)value;
    return value != 0;
}

int cmd_evtchn_bind(struct cmd_env *env, int argc, char **argv)
{
    const struct cmd *self = cmd_find(argv[0]);
    struct cmd_opts opts;
    uint32_t domid, port, vcpu;
    uint8_t vector = 0;
    int status;
    if (!cmd_parse(env, self, argc, argv, &opts, &status))
        return status;
    if (opts.argc < 3 || opts.argc > 4)
        return cmd_usage(env, self, "takes a domain, a port and a vCPU: %s",
                         self->args);
    if (!cmd_read_number(opts.argv[1], 1, PORT_MAX, &port))
        return cmd_usage(env, self, "%s: not a port, 1 to %u", opts.argv[1],
                         PORT_MAX);
    if (!cmd_read_number(opts.argv[2], 0, VCPU_MAX, &vcpu))
        return cmd_usage(env, self, "%s: not a vCPU, from 0", opts.argv[2]);
    if (opts.argc == 4 && !read_vector(opts.argv[3], &vector))
        return cmd_usage(env, self, "%s: not a vector, 0x20 to 0xff",
                         opts.argv[3]);
    if (cmd_find_domain(env, opts.argv[0], &domid) ||
        xlx_evtchn_bind(env->ctx, domid, port, vcpu, vector, &vector))
        return CMD_FAILED;
    fprintf(env->out, "domain %u: port %u: vCPU %u, vector 0x%02x\n", domid,
            port, vcpu, vector);
    return CMD_OK;
}

int cmd_evtchn_unbind(struct cmd_env *env, int argc, char **argv)
{
    const struct cmd *self = cmd_find(argv[0]);
    struct cmd_opts opts;
    uint32_t domid, port;
    int status;
    if (!cmd_parse(env, self, argc, argv, &opts, &status))
        return status;
    if (opts.argc != 2)
        return cmd_usage(env, self, "takes a domain and a port: %s",
                         self->args);
    if (!cmd_read_number(opts.argv[1], 1, PORT_MAX, &port))
        return cmd_usage(env, self, "%s: not a port, 1 to %u", opts.argv[1],
                         PORT_MAX);
    if (cmd_find_domain(env, opts.argv[0], &domid))
        return CMD_FAILED;
    int rc = xlx_evtchn_unbind(env->ctx, domid, port);
    if (rc < 0)
        return CMD_FAILED;
    fprintf(env->out, "domain %u: port %u: %s the upcall\n", domid, port,
            rc ? "was already on" : "back on");
    return CMD_OK;
}

int cmd_evtchn_allow(struct cmd_env *env, int argc, char **argv)
{
    const struct cmd *self = cmd_find(argv[0]);
    struct cmd_opts opts;
    uint32_t domid;
    int status;
    if (!cmd_parse(env, self, argc, argv, &opts, &status))
        return status;
    bool on = opts.argc == 2 && !strcmp(opts.argv[1], "on");
    if (!on && (opts.argc != 2 || strcmp(opts.argv[1], "off")))
        return cmd_usage(env, self, "takes a domain, and on or off");
    if (cmd_find_domain(env, opts.argv[0], &domid))
        return CMD_FAILED;
    int rc = xlx_evtchn_allow(env->ctx, domid, on);
    if (rc < 0)
        return CMD_FAILED;
    fprintf(env->out, "domain %u: vectors for single event channels: %s%s\n",
            domid, on ? "allowed" : "switched off", rc ? " already" : "");
    return CMD_OK;
}
