/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * An isochronous endpoint has a packet in every slot of its time, whether
 * somebody asks for it or not: who asks too late finds a hole in the numbers.
 */
#include <endian.h>
#include <string.h>

#include "device.h"

static uint64_t slot_us(const struct device *device,
                        const struct request *request)
{
    uint64_t unit = device->model->speed >= HIGH ? 125 : 1000;

    return unit * (request->interval ? request->interval : 1);
}

void isochronous_schedule(struct device *device, struct request *request)
{
    struct endpoint *endpoint = &device->endpoints[request->endpoint];
    uint64_t now = now_us(), each = slot_us(device, request);
    uint32_t slot;

    if (!endpoint->running) {
        endpoint->running = true;
        endpoint->epoch_us = now;
        endpoint->next_slot = 0;
        endpoint->offset = 0;
    }
    slot = (uint32_t)((now - endpoint->epoch_us + each - 1) / each);
    if (slot > endpoint->next_slot) {
        endpoint->missed += slot - endpoint->next_slot;
        endpoint->next_slot = slot;
    }
    request->slot = endpoint->next_slot;
    endpoint->next_slot += request->number_of_packets;
    request->due_us = endpoint->epoch_us + endpoint->next_slot * each;
}

/* Packets of the host must be numbered one after the other. */
static void look_at(struct endpoint *endpoint, const uint8_t *data,
                    uint32_t length)
{
    uint32_t number = 0;

    memcpy(&number, data, length < 4 ? length : 4);
    if (le32toh(number) != endpoint->offset++)
        endpoint->wrong++;
}

static uint32_t packet_length(const struct device *device,
                              const struct request *request, uint32_t asked)
{
    uint32_t most = device->model->argument[request->endpoint];

    return request->in && most && most < asked ? most : asked;
}

/* The data of a request's packets stand one behind the other on the wire. */
struct answer isochronous(struct device *device, struct request *request)
{
    struct endpoint *endpoint = &device->endpoints[request->endpoint];
    struct answer answer = { 0, 0 };

    for (uint32_t i = 0; i < request->number_of_packets; i++) {
        struct wire_packet *packet = &request->packets[i];
        uint32_t length = packet_length(device, request, packet->length);

        packet->actual = length;
        packet->status = 0;
        if (request->in)
            packet_fill(request->data + answer.length, length,
                        request->slot + i);
        else if (device->model->behaviour[request->endpoint] == NUMBER)
            look_at(endpoint, request->data + packet->offset, length);
        answer.length += length;
    }
    return answer;
}
