/* SPDX-License-Identifier: LGPL-2.1-only */
#include "fakes/evtchn_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"

void evtchn_world_put(struct evtchn_world *w, const char *node,
                      const char *value)
{
    char path[XLX__XS_PATH_MAX];
    snprintf(path, sizeof(path), "/local/domain/5/%s", node);
    xs_mem_put(w->xs, path, value);
}

static void fill_guest(struct evtchn_world *w)
{
    struct evtchn_mem_domain *d = w->guest;
    static const char *const nodes[][2] = {
        { "name", "guest" },
        { "vm", "/vm/00000000-0000-4000-8000-000000000005" },
        { "store/port", "1" },
        { "console/port", "2" },
        { "device/vbd/51712/backend-id", "0" },
        { "device/vbd/51712/queue-0/event-channel", "10" },
        { "device/vbd/51712/queue-1/event-channel", "11" },
        { "device/vif/0/backend-id", "0" },
        { "device/vif/0/queue-0/event-channel-tx", "12" },
        { "device/vif/0/queue-0/event-channel-rx", "13" },
        { "device/vif/0/queue-1/event-channel-tx", "14" },
        { "device/vif/0/queue-1/event-channel-rx", "15" },
        { "device/vkbd/0/backend-id", "0" },
        { "device/vkbd/0/event-channel", "16" },
        { "device/9pfs/0/backend-id", "0" },
        { "device/9pfs/0/event-channel-0", "17" },
        { "device/9pfs/0/event-channel-1", "18" },
        { "device/vusb/0/backend-id", "0" },
        { "device/vusb/0/event-channel", "19" },
    };
    for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++)
        evtchn_world_put(w, nodes[i][0], nodes[i][1]);
    evtchn_mem_connect(d, 1, 0, 101);
    evtchn_mem_connect(d, 2, 0, 102);
    for (uint32_t cpu = 0; cpu < 4; cpu++) {
        evtchn_mem_open(d, 3 + cpu, XLX_EVTCHN_IPI)->vcpu = cpu;
    }
    evtchn_mem_open(d, 7, XLX_EVTCHN_VIRQ)->irq = 1;
    for (uint32_t port = 10; port < 20; port++)
        evtchn_mem_connect(d, port, 0, 100 + port);
    for (uint32_t port = 12; port < 16; port++)
        d->port[port].vcpu = port - 12;
    evtchn_mem_open(d, 20, XLX_EVTCHN_UNBOUND)->remote_domid = 0;
}

struct evtchn_world *evtchn_world_new(void)
{
    struct evtchn_world *w = calloc(1, sizeof(*w));
    if (!w || xlx_ctx_new(&w->ctx))
        abort();
    snprintf(w->dir, sizeof(w->dir), "/tmp/xlx-evtchn-XXXXXX");
    if (!mkdtemp(w->dir))
        abort();
    xlx_ctx_set_path(w->ctx, XLX_PATH_RUN, w->dir);
    w->xs = xs_mem_new(&w->nth);
    w->ctx->xs = xs_mem_seam(w->xs);
    w->mem = evtchn_mem_new(&w->nth);
    w->ctx->evtchn = &w->mem->base;
    xs_mem_put(w->xs, "/local/domain/0/name", "Domain-0");
    xs_mem_put(w->xs, "/local/domain/6/name", "old");
    xs_mem_put(w->xs, "/local/domain/6/store/port", "1");
    struct evtchn_mem_domain *dom0 = evtchn_mem_add(w->mem, 0, false, 2);
    dom0->nr_ports = 192;
    for (uint32_t port = 10; port < 20; port++)
        evtchn_mem_connect(dom0, 100 + port, 5, port);
    evtchn_mem_connect(dom0, 101, 5, 1);
    w->guest = evtchn_mem_add(w->mem, 5, true, 4);
    w->pv = evtchn_mem_add(w->mem, 6, false, 2);
    evtchn_mem_connect(w->pv, 1, 0, 105);
    fill_guest(w);
    return w;
}

void evtchn_world_free(struct evtchn_world *w)
{
    if (!w)
        return;
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", w->dir);
    if (system(command))
        abort();
    xlx_ctx_free(w->ctx);
    free(w->out);
    free(w->err);
    free(w);
}

static void log_to(void *user, enum xlx_log_level level, const char *text)
{
    (void)level;
    fprintf(user, "%s\n", text);
}

int evtchn_world_call(struct evtchn_world *w, const char *line)
{
    char *argv[16], *copy = strdup(line), *rest = copy;
    size_t size;
    int argc = 0;
    struct cmd_env env = { .ctx = w->ctx };
    while (argc < 15 && (argv[argc] = strsep(&rest, " ")))
        argc++;
    argv[argc] = NULL;
    free(w->out);
    free(w->err);
    env.out = open_memstream(&w->out, &size);
    env.err = open_memstream(&w->err, &size);
    xlx_ctx_set_log(env.ctx, log_to, env.err, XLX_LOG_INFO);
    int status = cmd_find(argv[0])->run(&env, argc, argv);
    xlx_ctx_set_log(env.ctx, NULL, NULL, XLX_LOG_ERROR);
    fclose(env.out);
    fclose(env.err);
    free(copy);
    return status;
}
