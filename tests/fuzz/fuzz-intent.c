/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Any bytes as the file of a guest's USB assignments: they are refused with a
 * text, or what was understood is written as a file that reads the same.
 * libFuzzer's entry; tests/unit/test-fuzz.c runs it without libFuzzer.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "fuzz/must.h"
#include "usb/assign/intent.h"
#include "usb/device/busid.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_identity(const struct xlx_usb_identity *id)
{
    MUST(xlx__busid_valid(id->busid));
    MUST(id->by_place || !id->hub);
    MUST(id->nr_faces <= XLX_USB_FACES_MAX);
    MUST(id->by_place || id->nr_faces >= 1);
    for (uint32_t i = 0; i < id->nr_faces; i++)
        MUST(id->face[i].nr_classes <= XLX_USB_CLASSES_MAX);
}

static void check_intent(const struct xlx__intent *intent)
{
    MUST(intent->nr_wishes <= XLX_USB_ASSIGNMENTS_MAX);
    for (uint32_t i = 0; i < intent->nr_wishes; i++) {
        const struct xlx_usb_place *place = &intent->wish[i].place;
        check_identity(&intent->wish[i].identity);
        MUST(place->port == XLX_USB_ANY ||
             (place->port >= 1 && place->port <= XLX_USB_PORTS_MAX));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct xlx__intent *intent = calloc(1, sizeof(*intent));
    char *text = calloc(1, size + 1);
    MUST(intent && text);
    if (size)
        memcpy(text, data, size);
    const char *why = xlx__intent_parse(text, intent);
    if (why) {
        MUST(*why && !strchr(why, '\n'));
    } else {
        check_intent(intent);
        char *once = xlx__intent_json(intent);
        MUST(once && !xlx__intent_parse(once, intent));
        char *twice = xlx__intent_json(intent);
        MUST(twice && !strcmp(once, twice));
        free(once);
        free(twice);
    }
    free(text);
    free(intent);
    return 0;
}
