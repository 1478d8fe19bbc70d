/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * How a toolstack uses the library: prints which devices of this host can be
 * attached, or attaches one to a guest until Enter is pressed.
 *
 *   cc -o example-usb example-usb.c $(pkg-config --cflags --libs libxl-ext)
 */
#include <libxl_ext.h>
#include <libxl_ext_usb.h>
#include <stdio.h>
#include <stdlib.h>

#define WAIT_MS 10000

/* Gets every failure once, with its reason, where it happened. */
static void print_log(void *user, enum xlx_log_level level, const char *text)
{
    (void)user;
    fprintf(stderr, "%s%s\n", level == XLX_LOG_ERROR ? "error: " : "", text);
}

static int list(xlx_ctx *ctx)
{
    struct xlx_usb_device *devices;
    int nr = xlx_usb_devices(ctx, &devices, sizeof(*devices));
    for (int i = 0; i < nr; i++)
        printf("%s %04x:%04x %s%s\n", devices[i].busid, devices[i].vendor,
               devices[i].product,
               devices[i].assignable ? "can be attached" : "cannot: ",
               devices[i].reason);
    if (nr >= 0)
        free(devices);
    return nr < 0 ? nr : 0;
}

static int lend(xlx_ctx *ctx, const char *guest, const char *device)
{
    const struct xlx_usb_place anywhere = { XLX_USB_ANY, XLX_USB_ANY };
    struct xlx_usb_place got;
    char busid[XLX_USB_BUSID_MAX];
    uint32_t domid;
    int rc = xlx_domain_find(ctx, guest, &domid);
    if (!rc)
        rc = xlx_usb_select(ctx, device, busid);
    if (!rc)
        rc = xlx_usb_attach(ctx, domid, busid, &anywhere, 0, WAIT_MS, &got);
    if (rc)
        return rc;
    printf("attached to controller %u, port %u; Enter detaches it\n", got.hc,
           got.port);
    getchar();
    return xlx_usb_detach(ctx, domid, &got, busid, WAIT_MS, NULL);
}

int main(int argc, char **argv)
{
    xlx_ctx *ctx;
    if (argc != 1 && argc != 3) {
        fprintf(stderr, "Usage: %s [GUEST DEVICE]\n", argv[0]);
        return 2;
    }
    if (xlx_ctx_new(&ctx))
        return 1;
    xlx_ctx_set_log(ctx, print_log, NULL, XLX_LOG_WARN);
    int rc = argc == 1 ? list(ctx) : lend(ctx, argv[1], argv[2]);
    xlx_ctx_free(ctx);
    return rc ? 1 : 0;
}
