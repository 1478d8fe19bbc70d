/* SPDX-License-Identifier: LGPL-2.1-only */
#include "usbd/state.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int xlx__usbd_state_map(int fd, struct xlx__usbd_state **state_r)
{
    struct xlx__usbd_state *state;
    struct stat st;
    if (fstat(fd, &st))
        return -errno;
    if (st.st_size < (off_t)sizeof(*state) && ftruncate(fd, sizeof(*state)))
        return -errno;
    state =
        mmap(NULL, sizeof(*state), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (state == MAP_FAILED)
        return -errno;
    if (state->magic != XLX__USBD_STATE_MAGIC ||
        state->version != XLX__USBD_STATE_VERSION) {
        memset(state, 0, sizeof(*state));
        state->version = XLX__USBD_STATE_VERSION;
        state->magic = XLX__USBD_STATE_MAGIC;
    }
    *state_r = state;
    return 0;
}

bool xlx__usbd_state_is_of(const struct xlx__usbd_hc_state *hc,
                           const char guest[XLX__USBD_GUEST_SIZE])
{
    /* Not as text: whoever wrote it may have left out its end. */
    return hc->used == 1 && *guest &&
           !memcmp(hc->guest, guest, XLX__USBD_GUEST_SIZE);
}

struct xlx__usbd_hc_state *
xlx__usbd_state_find(struct xlx__usbd_state *state,
                     const char guest[XLX__USBD_GUEST_SIZE], uint32_t devid)
{
    for (unsigned i = 0; i < XLX__USBD_HC_MAX; i++)
        if (xlx__usbd_state_is_of(&state->hc[i], guest) &&
            state->hc[i].devid == devid)
            return &state->hc[i];
    return NULL;
}
