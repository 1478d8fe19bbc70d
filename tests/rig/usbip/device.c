/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The device's end of the connection: takes requests, keeps them until they
 * are due, and answers as their endpoint behaves.
 */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "device.h"

enum { ISOCHRONOUS = 1, TYPE_MASK = 3 };

uint64_t now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return ts.tv_sec * 1000000ull + ts.tv_nsec / 1000;
}

struct device *device_new(struct model *model)
{
    struct device *device = calloc(1, sizeof(*device));

    if (device) {
        device->model = model;
        device->fd = -1;
    }
    return device;
}

int device_fd(const struct device *device)
{
    return device->fd;
}

bool device_configured(const struct device *device)
{
    return device->fd >= 0 && device->configuration;
}

void device_pull_at(struct device *device, unsigned int n)
{
    device->pull_at = n;
}

static void request_free(struct request *request)
{
    free(request->packets);
    free(request->data);
    free(request);
}

static void drop_first(struct request **at)
{
    struct request *request = *at;

    *at = request->next;
    request_free(request);
}

static void append(struct device *device, struct request *request)
{
    struct request **at = &device->first;

    while (*at)
        at = &(*at)->next;
    *at = request;
}

/* The time is noted first: it is what others measure from. */
void device_pull(struct device *device)
{
    uint64_t now = now_us();

    if (device->fd < 0)
        return;
    shutdown(device->fd, SHUT_RDWR);
    close(device->fd);
    device->fd = -1;
    device->pull_at = 0;
    while (device->first)
        drop_first(&device->first);
    printf("pulled %llu\n", (unsigned long long)now);
    fflush(stdout);
}

int device_plug(struct device *device, char *busid, size_t size)
{
    device_pull(device);
    device->configuration = 0;
    device->pull_at = 0;
    device->echo_length = 0;
    memset(device->setting, 0, sizeof(device->setting));
    memset(device->endpoints, 0, sizeof(device->endpoints));
    device->fd = vhci_plug(device->model->speed, busid, size);
    return device->fd < 0 ? -1 : 0;
}

/* --- the wire */

static void swap_header(struct wire_header *header)
{
    uint32_t *words = &header->command;

    for (size_t i = 0; i < offsetof(struct wire_header, setup) / 4; i++)
        words[i] = htobe32(words[i]);
}

static void swap_packets(struct wire_packet *packets, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        packets[i].offset = htobe32(packets[i].offset);
        packets[i].length = htobe32(packets[i].length);
        packets[i].actual = htobe32(packets[i].actual);
        packets[i].status = htobe32(packets[i].status);
    }
}

static bool receive_all(struct device *device, void *to, size_t length)
{
    return !length ||
           recv(device->fd, to, length, MSG_WAITALL) == (ssize_t)length;
}

/* Whatever goes wrong here is the host's end of the connection going away. */
static bool send_all(struct device *device, const void *from, size_t length)
{
    const uint8_t *bytes = from;
    ssize_t sent;

    for (; length; length -= (size_t)sent, bytes += sent) {
        sent = send(device->fd, bytes, length, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
    }
    return true;
}

static void lost(struct device *device, const char *why)
{
    printf("dropped: %s\n", why);
    device_pull(device);
}

/* --- requests */

static bool is_isochronous(const struct device *device, unsigned int ep,
                           bool in)
{
    int type = model_endpoint_type(device->model, ep, in);

    return type >= 0 && (type & TYPE_MASK) == ISOCHRONOUS;
}

static struct request *request_new(const struct device *device,
                                   const struct wire_header *header)
{
    struct request *request = calloc(1, sizeof(*request));
    bool iso = is_isochronous(device, header->ep, header->in);

    if (!request)
        return NULL;
    request->seqnum = header->seqnum;
    request->in = header->in;
    request->endpoint = endpoint_index(header->ep, header->in && header->ep);
    request->isochronous = iso;
    request->length = header->word[SUBMIT_LENGTH];
    request->number_of_packets = iso ? header->word[SUBMIT_PACKETS] : 0;
    request->interval = header->word[SUBMIT_EVERY];
    memcpy(request->setup, header->setup, sizeof(request->setup));
    if (request->length > MAX_TRANSFER ||
        request->number_of_packets > MAX_PACKETS)
        return request_free(request), NULL;
    request->data = malloc(request->length + 1);
    request->packets =
        calloc(request->number_of_packets + 1, sizeof(*request->packets));
    if (!request->data || !request->packets)
        return request_free(request), NULL;
    return request;
}

static bool receive_rest(struct device *device, struct request *request)
{
    uint32_t n = request->number_of_packets;

    if (!request->in && !receive_all(device, request->data, request->length))
        return false;
    if (!receive_all(device, request->packets, n * sizeof(struct wire_packet)))
        return false;
    swap_packets(request->packets, n);
    for (uint32_t i = 0; i < n; i++)
        if (request->packets[i].offset > request->length ||
            request->packets[i].length >
                request->length - request->packets[i].offset)
            return false;
    return true;
}

static void submit(struct device *device, const struct wire_header *header)
{
    struct request *request = request_new(device, header);
    struct endpoint *endpoint;

    if (!request || !receive_rest(device, request)) {
        if (request)
            request_free(request);
        lost(device, "a request that is none");
        return;
    }
    endpoint = &device->endpoints[request->endpoint];
    endpoint->used = true;
    endpoint->requests++;
    if (request->isochronous)
        isochronous_schedule(device, request);
    append(device, request);
}

/* One that was answered meanwhile is not there any more: that is no error. */
static void unlink_request(struct device *device,
                           const struct wire_header *asked)
{
    struct wire_header header = { .command = RET_UNLINK,
                                  .seqnum = asked->seqnum };

    for (struct request **at = &device->first; *at; at = &(*at)->next)
        if ((*at)->seqnum == asked->word[UNLINK_SEQNUM]) {
            header.word[RET_STATUS] = (uint32_t)-ECONNRESET;
            device->endpoints[(*at)->endpoint].unlinks++;
            drop_first(at);
            break;
        }
    swap_header(&header);
    if (!send_all(device, &header, sizeof(header)))
        lost(device, "an unlink cannot be answered");
}

void device_receive(struct device *device)
{
    struct wire_header header;

    if (!receive_all(device, &header, sizeof(header))) {
        lost(device, "the host closed the connection");
        return;
    }
    swap_header(&header);
    if (header.command == CMD_SUBMIT)
        submit(device, &header);
    else if (header.command == CMD_UNLINK)
        unlink_request(device, &header);
    else
        lost(device, "an unknown command");
}

/* --- answers */

static struct answer source(struct device *device, struct request *request)
{
    struct endpoint *endpoint = &device->endpoints[request->endpoint];
    unsigned int argument = device->model->argument[request->endpoint];
    struct answer answer = { 0, request->length };

    switch (device->model->behaviour[request->endpoint]) {
    case SHORT:
        if (argument < answer.length)
            answer.length = argument;
        break;
    case BABBLE:
        answer.status = -EOVERFLOW;
        break;
    default:
        break;
    }
    pattern_fill(request->data, answer.length, endpoint->offset);
    endpoint->offset += answer.length;
    return answer;
}

/* A request that begins with word 0 begins the stream anew. */
static struct answer sink(struct device *device, struct request *request)
{
    struct endpoint *endpoint = &device->endpoints[request->endpoint];

    if (request->length >= 4 && pattern_is(request->data, 4, 0))
        endpoint->offset = 0;
    if (!pattern_is(request->data, request->length, endpoint->offset))
        endpoint->wrong++;
    endpoint->offset += request->length;
    return (struct answer){ 0, request->length };
}

static struct answer echo(struct device *device, struct request *request)
{
    struct answer answer = { 0, request->length };

    if (!request->in) {
        memcpy(device->echo + device->echo_length, request->data,
               request->length);
        device->echo_length += request->length;
        return answer;
    }
    if (answer.length > device->echo_length)
        answer.length = (uint32_t)device->echo_length;
    memcpy(request->data, device->echo, answer.length);
    device->echo_length -= answer.length;
    memmove(device->echo, device->echo + answer.length, device->echo_length);
    return answer;
}

static bool is_due(const struct device *device, const struct request *request,
                   uint64_t now)
{
    switch (device->model->behaviour[request->endpoint]) {
    case HANG:
        return false;
    case ECHO:
        return request->in ? device->echo_length > 0
                           : device->echo_length + request->length <= ECHO_ROOM;
    default:
        return !request->isochronous || request->due_us <= now;
    }
}

static struct answer answer_to(struct device *device, struct request *request)
{
    enum behaviour behaviour = device->model->behaviour[request->endpoint];

    if (behaviour == STALL || behaviour == HALT)
        return (struct answer){ -EPIPE, 0 };
    if (request->isochronous)
        return isochronous(device, request);
    if (endpoint_index(request->endpoint, false) == 0)
        return control(device, request);
    if (behaviour == ECHO)
        return echo(device, request);
    return request->in ? source(device, request) : sink(device, request);
}

/* The device is gone in the middle of the data, or when it would confirm. */
static bool pulled_here(struct device *device, const struct request *request,
                        uint32_t data)
{
    if (!device->pull_at || !request->endpoint || --device->pull_at)
        return false;
    send_all(device, request->data, data / 2);
    device_pull(device);
    return true;
}

static void send_answer(struct device *device, struct request *request)
{
    struct endpoint *endpoint = &device->endpoints[request->endpoint];
    struct answer answer = answer_to(device, request);
    uint32_t n = request->number_of_packets,
             data = request->in ? answer.length : 0;
    struct wire_header header = { .command = RET_SUBMIT,
                                  .seqnum = request->seqnum };

    header.word[RET_STATUS] = (uint32_t)answer.status;
    header.word[RET_LENGTH] = answer.length;
    header.word[RET_PACKETS] = n;
    header.word[RET_FRAME] = request->slot;
    endpoint->answers++;
    endpoint->bytes += answer.length;
    swap_header(&header);
    swap_packets(request->packets, n);
    if (!send_all(device, &header, sizeof(header)))
        lost(device, "an answer cannot be sent");
    else if (!pulled_here(device, request, data) &&
             (!send_all(device, request->data, data) ||
              !send_all(device, request->packets,
                        n * sizeof(struct wire_packet))))
        lost(device, "an answer cannot be sent");
}

/* Its place in the list is given up first: a pull empties the list. */
static void answer_at(struct device *device, struct request **at)
{
    struct request *request = *at;

    *at = request->next;
    send_answer(device, request);
    request_free(request);
}

long device_serve(struct device *device)
{
    struct request **at = &device->first;
    uint64_t now = now_us(), next = UINT64_MAX;

    while (device->fd >= 0 && *at) {
        struct request *request = *at;

        if (is_due(device, request, now)) {
            bool filled = !request->in;

            answer_at(device, at);
            /* What was echoed may be what an earlier one waits for. */
            if (device->fd < 0 || (filled && device->echo_length))
                at = &device->first;
            continue;
        }
        if (request->isochronous && request->due_us < next &&
            device->model->behaviour[request->endpoint] != HANG)
            next = request->due_us;
        at = &request->next;
    }
    if (next == UINT64_MAX)
        return -1;
    return next > now ? (long)(next - now) : 0;
}

void device_print(const struct device *device)
{
    printf("ok");
    for (unsigned int i = 0; i < ENDPOINTS; i++) {
        const struct endpoint *endpoint = &device->endpoints[i];
        unsigned int pending = 0;

        if (!endpoint->used)
            continue;
        for (const struct request *r = device->first; r; r = r->next)
            pending += r->endpoint == i;
        printf(" %02x: requests=%lu answers=%lu bytes=%lu unlinks=%lu "
               "wrong=%lu missed=%lu pending=%u;",
               i < 16 ? i : i - 16 + 0x80, endpoint->requests,
               endpoint->answers, endpoint->bytes, endpoint->unlinks,
               endpoint->wrong, endpoint->missed, pending);
    }
    printf("\n");
}
