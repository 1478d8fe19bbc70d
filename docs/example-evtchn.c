/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * How a toolstack uses the library: prints the findings about the event
 * channels of a guest. With a second argument, it keeps at most that many of
 * the busiest channels on vectors of their own until Enter is pressed.
 *
 *   cc -o example-evtchn example-evtchn.c $(pkg-config --cflags --libs
 * libxl-ext)
 */
#include <libxl_ext.h>
#include <libxl_ext_evtchn.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

/* Gets every failure once, with its reason, where it happened. */
static void print_log(void *user, enum xlx_log_level level, const char *text)
{
    (void)user;
    fprintf(stderr, "%s%s\n", level == XLX_LOG_ERROR ? "error: " : "", text);
}

static int look(xlx_ctx *ctx, const char *guest)
{
    xlx_evtchn_channels *channels;
    struct xlx_evtchn_finding *findings;
    uint32_t domid;
    int nr, rc = xlx_domain_find(ctx, guest, &domid);
    if (!rc)
        rc = xlx_evtchn_list(ctx, domid, &channels);
    if (rc < 0)
        return rc;
    nr = xlx_evtchn_diagnose(channels, &findings, sizeof(*findings));
    printf("%u channels\n", xlx_evtchn_info(channels)->nr_ports);
    for (int i = 0; i < nr; i++)
        printf("%s: %s\n", xlx_evtchn_finding_name(findings[i].code),
               findings[i].text);
    if (nr >= 0)
        free(findings);
    xlx_evtchn_channels_free(channels);
    return nr < 0 ? nr : 0;
}

static void tell(void *user, const struct xlx_evtchn_report *r)
{
    (void)user;
    for (uint32_t i = 0; i < r->nr_changes; i++)
        printf("%s: port %u: vCPU %u, vector 0x%02x\n", r->guest,
               r->changes[i].port, r->changes[i].to_vcpu,
               r->changes[i].to_vector);
    if (*r->reason)
        printf("%s: %s\n", r->guest, r->reason);
}

static int keep_spread(xlx_ctx *ctx, const char *guest, uint32_t hot)
{
    const struct xlx_evtchn_watch_config config = { guest, hot, 0 };
    xlx_evtchn_watch *watch;
    int rc =
        xlx_evtchn_watch_new(ctx, &config, sizeof(config), tell, NULL, &watch);
    if (rc)
        return rc;
    struct pollfd fds[] = { { xlx_evtchn_watch_fd(watch), POLLIN, 0 },
                            { 0, POLLIN, 0 } };
    while (!rc && poll(fds, 2, -1) >= 0 && !fds[1].revents)
        rc = xlx_evtchn_watch_dispatch(watch);
    xlx_evtchn_watch_free(watch);
    return rc;
}

int main(int argc, char **argv)
{
    xlx_ctx *ctx;
    int hot = argc == 3 ? atoi(argv[2]) : 0;
    if (argc < 2 || argc > 3 || hot < 0) {
        fprintf(stderr, "Usage: %s GUEST [CHANNELS]\n", argv[0]);
        return 2;
    }
    if (xlx_ctx_new(&ctx))
        return 1;
    xlx_ctx_set_log(ctx, print_log, NULL, XLX_LOG_WARN);
    int rc = argc == 2 ? look(ctx, argv[1])
                       : keep_spread(ctx, argv[1], (uint32_t)hot);
    xlx_ctx_free(ctx);
    return rc ? 1 : 0;
}
