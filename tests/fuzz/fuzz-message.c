/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Any bytes as a request to a pager's control socket, and as its answer, which
 * is the status that is also in a file: they are refused, or what was
 * understood is within bounds and is written as text that reads the same.
 * libFuzzer's entry; tests/unit/test-fuzz.c runs it without libFuzzer.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "fuzz/must.h"
#include "lazy/message.h"
#include "lazy/status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_request(const char *text)
{
    struct xlx_lazy_change change, again;
    bool watch, watch_again;
    const char *why = NULL;
    int rc = xlx__request_parse(text, &change, &watch, &why);
    if (rc) {
        MUST(rc == -EBADMSG && why && *why);
        return;
    }
    MUST(!change.set_bwlimit || change.bwlimit <= XLX_LAZY_BWLIMIT_MAX);
    char *line = xlx__request_text(&change, watch);
    MUST(line && strlen(line) <= XLX__REQUEST_MAX);
    MUST(!xlx__request_parse(line, &again, &watch_again, &why));
    MUST(watch_again == watch && again.retry == change.retry);
    MUST(again.fill == change.fill);
    MUST(again.set_bwlimit == change.set_bwlimit);
    MUST(again.bwlimit == change.bwlimit);
    free(line);
}

static void try_status(const char *text)
{
    struct xlx_lazy_status *status = calloc(2, sizeof(*status));
    MUST(status);
    int rc = xlx__lazy_status_parse(text, &status[0]);
    MUST(!rc || rc == -EBADMSG);
    if (!rc) {
        MUST(status->nr_bad <= XLX_LAZY_BAD_MAX);
        MUST(memchr(status->image, 0, sizeof(status->image)));
        MUST(memchr(status->reason, 0, sizeof(status->reason)));
        MUST(strcmp(xlx_lazy_state_name(status->state), "unknown"));
        char *once = xlx_lazy_status_json(&status[0], sizeof(status[0]));
        MUST(once && !xlx__lazy_status_parse(once, &status[1]));
        char *twice = xlx_lazy_status_json(&status[1], sizeof(status[1]));
        MUST(twice && !strcmp(once, twice));
        free(once);
        free(twice);
    }
    free(status);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = calloc(1, size + 1);
    MUST(text);
    if (size)
        memcpy(text, data, size);
    try_request(text);
    try_status(text);
    free(text);
    return 0;
}
