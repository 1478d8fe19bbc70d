/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Requests to endpoint 0: the standard ones, of which descriptors come from
 * the model as they are, and a vendor's, which keep what they are given (0x40)
 * and give it back (0xc0). vhci_hcd answers SET_ADDRESS itself.
 */
#include <errno.h>
#include <string.h>

#include "device.h"

enum {
    GET_STATUS = 0,
    CLEAR_FEATURE = 1,
    GET_DESCRIPTOR = 6,
    GET_CONFIGURATION = 8,
    SET_CONFIGURATION = 9,
    GET_INTERFACE = 10,
    SET_INTERFACE = 11,
    TYPE_MASK = 0x60,
    CLASS = 0x20,
    VENDOR = 0x40,
    RECIPIENT_MASK = 0x1f,
    TO_ENDPOINT = 2
};

static const struct answer stall = { .status = -EPIPE };

static struct answer give(struct request *request, const void *bytes,
                          size_t length)
{
    struct answer answer = { 0, request->length };

    if (length < answer.length)
        answer.length = (uint32_t)length;
    memcpy(request->data, bytes, answer.length);
    return answer;
}

static struct answer accept_all(const struct request *request)
{
    return (struct answer){ 0, request->length };
}

static struct answer descriptor(struct device *device, struct request *request)
{
    const struct descriptor *found =
        model_find(device->model, request->setup[3], request->setup[2]);

    return found ? give(request, found->bytes, found->length) : stall;
}

static struct answer vendor(struct device *device, struct request *request)
{
    if (request->in)
        return give(request, device->stored, device->stored_length);
    if (request->length > sizeof(device->stored))
        return stall;
    memcpy(device->stored, request->data, request->length);
    device->stored_length = request->length;
    return accept_all(request);
}

static void clear_halt(struct device *device, uint8_t address)
{
    enum behaviour *behaviour =
        &device->model->behaviour[endpoint_index(address, address & 0x80)];

    if (*behaviour == HALT)
        *behaviour = ORDINARY;
}

/* Isochronous endpoints begin anew with a setting. */
static void set_interface(struct device *device, uint8_t number,
                          uint8_t setting)
{
    device->setting[number] = setting;
    for (unsigned int i = 0; i < ENDPOINTS; i++)
        device->endpoints[i].running = false;
}

static struct answer standard(struct device *device, struct request *request)
{
    const uint8_t *setup = request->setup;

    switch (setup[1]) {
    case GET_STATUS:
        return give(request, "\0", 2);
    case GET_DESCRIPTOR:
        return descriptor(device, request);
    case GET_CONFIGURATION:
        return give(request, &device->configuration, 1);
    case SET_CONFIGURATION:
        device->configuration = setup[2];
        return accept_all(request);
    case GET_INTERFACE:
        return give(request, &device->setting[setup[4]], 1);
    case SET_INTERFACE:
        set_interface(device, setup[4], setup[2]);
        return accept_all(request);
    case CLEAR_FEATURE:
        if ((setup[0] & RECIPIENT_MASK) == TO_ENDPOINT)
            clear_halt(device, setup[4]);
        return accept_all(request);
    default:
        return request->in ? stall : accept_all(request);
    }
}

struct answer control(struct device *device, struct request *request)
{
    switch (request->setup[0] & TYPE_MASK) {
    case 0:
        return standard(device, request);
    case VENDOR:
        return vendor(device, request);
    case CLASS:
        return request->in ? stall : accept_all(request);
    default:
        return stall;
    }
}
