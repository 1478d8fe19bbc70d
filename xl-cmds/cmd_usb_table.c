/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * usb-list without a guest: every USB device of this host, and who has it.
 */
#include <stdlib.h>
#include <string.h>

#include "cmd_usb.h"
#include "json.h"
#include "libxl_ext_usb.h"

#define WIDTH_MAX 40 /* what is wider moves the rest of its line */

enum column { BUSID, ID, NAME, SPEED, STATE, GUEST, PLACE, REASON, NR_COLUMNS };

static const char *const heads[NR_COLUMNS] = {
    "Busid", "ID", "Name", "Speed", "State", "Guest", "Ctrl/Port", "Reason",
};

/* A line's texts; the longest is a name, escaped. */
struct line {
    char text[NR_COLUMNS][4 * XLX_GUEST_NAME_MAX];
};

static const char *words_of(enum xlx_usb_state state)
{
    switch (state) {
    case XLX_USB_IS_IN_USE:
        return "in use";
    case XLX_USB_IS_UNAUTHORIZED:
        return "not authorized";
    default:
        return xlx_usb_state_name(state);
    }
}

/* "480M", as lsusb has it; Mbit/s. */
static void put_speed(const struct xlx_usb_device *dev, char *to, size_t size)
{
    if (!dev->mbits)
        return;
    if (dev->mbits == 1)
        snprintf(to, size, "1.5M");
    else if (dev->mbits % 1000)
        snprintf(to, size, "%uM", dev->mbits);
    else
        snprintf(to, size, "%uG", dev->mbits / 1000);
}

static void put_guest(const struct xlx_usb_device *dev, char *to, size_t size)
{
    if (dev->guest[0])
        cmd_escape(dev->guest, to);
    else if (dev->assigned)
        snprintf(to, size, "%u", dev->domid);
}

/* What is in a column of its own already is no reason. */
static bool has_reason(const struct xlx_usb_device *dev)
{
    return dev->reason[0] && !dev->assigned && !dev->hub;
}

static void fill_line(const struct xlx_usb_device *dev, struct line *l)
{
    size_t size = sizeof(l->text[0]);
    memset(l, 0, sizeof(*l));
    snprintf(l->text[BUSID], size, "%s", dev->busid);
    snprintf(l->text[ID], size, "%04x:%04x", dev->vendor, dev->product);
    cmd_escape(dev->name, l->text[NAME]);
    put_speed(dev, l->text[SPEED], size);
    snprintf(l->text[STATE], size, "%s", words_of(dev->state));
    put_guest(dev, l->text[GUEST], size);
    if (dev->assigned)
        snprintf(l->text[PLACE], size, "%u/%u", dev->place.hc, dev->place.port);
    if (has_reason(dev))
        snprintf(l->text[REASON], size, "%s", dev->reason);
}

/* On a terminal: of a letter in UTF-8 the first byte counts. */
static int width_of(const char *text)
{
    int width = 0;
    for (; *text; text++)
        width += (*text & 0xc0) != 0x80;
    return width;
}

static void widen(const struct line *l, int width[NR_COLUMNS])
{
    for (int c = 0; c < NR_COLUMNS; c++) {
        int w = width_of(l->text[c]);
        if (w > width[c])
            width[c] = w < WIDTH_MAX ? w : WIDTH_MAX;
    }
}

/* An empty column is a dash, but the last one. */
static void print_line(FILE *out, const struct line *l,
                       const int width[NR_COLUMNS])
{
    for (int c = 0; c < REASON; c++) {
        const char *text = l->text[c][0] ? l->text[c] : "-";
        int pad = width[c] - width_of(text);
        bool last = c == PLACE && !l->text[REASON][0];
        fprintf(out, "%s%s%*s", c ? "  " : "", text, pad > 0 && !last ? pad : 0,
                "");
    }
    fprintf(out, "%s%s\n", l->text[REASON][0] ? "  " : "", l->text[REASON]);
}

static void print_text(FILE *out, const struct xlx_usb_device *list, int nr)
{
    struct line line, head;
    int width[NR_COLUMNS] = { 0 };
    for (int c = 0; c < NR_COLUMNS; c++)
        snprintf(head.text[c], sizeof(head.text[c]), "%s", heads[c]);
    widen(&head, width);
    for (int i = 0; i < nr; i++) {
        fill_line(&list[i], &line);
        widen(&line, width);
    }
    print_line(out, &head, width);
    for (int i = 0; i < nr; i++) {
        fill_line(&list[i], &line);
        print_line(out, &line, width);
    }
}

int usb_table_print(void *table)
{
    const struct usb_table *t = table;
    struct xlx_usb_device *list;
    int status = CMD_OK, nr = xlx_usb_devices(t->env->ctx, &list);
    if (nr < 0)
        return CMD_FAILED;
    if (t->json)
        status = usb_devices_json(t->env->out, list, nr, true);
    else if (nr)
        print_text(t->env->out, list, nr);
    else
        fprintf(t->env->err, "this host has no USB devices\n");
    free(list);
    return status;
}
