/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * udp echo PORT              sends back whatever comes
 * udp sink PORT SECONDS      drops it, and prints how many packets came
 * udp flood PORT RATE ADDRESS...
 *                            sends 64 bytes to each RATE times a second, or as
 *                            often as it can (0), until it is ended
 * udp rtt ADDRESS PORT N     N round trips, one after the other: prints the
 *                            median, the 99th percentile and the longest in
 *                            microseconds, and how many were lost
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "times.h"

#define SIZE 64
#define LOST_S 1
#define PAUSE_US 2000

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static struct sockaddr_in address(const char *ip, const char *port)
{
    struct sockaddr_in a = { .sin_family = AF_INET };
    a.sin_port = htons((uint16_t)atoi(port));
    if (!inet_aton(ip, &a.sin_addr)) {
        fprintf(stderr, "udp: no address: %s\n", ip);
        exit(1);
    }
    return a;
}

static int open_socket(const char *port)
{
    struct sockaddr_in any = address("0.0.0.0", port ? port : "0");
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    if (s < 0 || bind(s, (struct sockaddr *)&any, sizeof(any)))
        die("udp: socket");
    return s;
}

static void wait_at_most(int s, time_t seconds)
{
    struct timeval t = { .tv_sec = seconds };
    if (setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)))
        die("udp: time limit");
}

static _Noreturn void echo(const char *port)
{
    int s = open_socket(port);
    for (;;) {
        struct sockaddr_in from;
        socklen_t length = sizeof(from);
        char data[2048];
        ssize_t n = recvfrom(s, data, sizeof(data), 0, (struct sockaddr *)&from,
                             &length);
        if (n >= 0)
            sendto(s, data, (size_t)n, 0, (struct sockaddr *)&from, length);
    }
}

static int sink(const char *port, unsigned seconds)
{
    int s = open_socket(port);
    uint64_t end = now_us() + seconds * UINT64_C(1000000);
    unsigned long nr = 0;
    char data[2048];
    wait_at_most(s, 1);
    while (now_us() < end)
        nr += recv(s, data, sizeof(data), 0) > 0;
    printf("%lu\n", nr);
    return 0;
}

static void send_to_each(int s, const char *port, char **to, int nr)
{
    static const char data[SIZE];
    for (int i = 0; i < nr; i++) {
        struct sockaddr_in a = address(to[i], port);
        /* What has no room is lost, as with any flood. */
        sendto(s, data, sizeof(data), 0, (struct sockaddr *)&a, sizeof(a));
    }
}

/* Sends what is due when it was kept from running, too: the rate is true. */
static _Noreturn void flood(const char *port, unsigned rate, char **to, int nr)
{
    int s = open_socket(NULL);
    uint64_t start = now_us();
    for (uint64_t sent = 1;; sent++) {
        send_to_each(s, port, to, nr);
        while (rate && now_us() - start < sent * 1000000 / rate)
            usleep(1000);
    }
}

/* A late answer to a packet that counts as lost is not taken for the next. */
static int one_trip(int s, const struct sockaddr_in *to, uint32_t number)
{
    uint32_t data[SIZE / 4] = { number };
    if (sendto(s, data, sizeof(data), 0, (const struct sockaddr *)to,
               sizeof(*to)) < 0)
        return 0;
    do {
        if (recv(s, data, sizeof(data), 0) < 0)
            return 0;
    } while (data[0] != number);
    return 1;
}

static int rtt(const char *ip, const char *port, uint32_t nr)
{
    struct sockaddr_in to = address(ip, port);
    uint64_t *took = calloc(nr + 1, sizeof(*took));
    int s = open_socket(NULL);
    uint32_t good = 0;
    if (!took)
        die("udp: memory");
    wait_at_most(s, LOST_S);
    for (uint32_t i = 0; i < nr; i++) {
        uint64_t start = now_us();
        if (one_trip(s, &to, i))
            took[good++] = now_us() - start;
        usleep(PAUSE_US);
    }
    if (good)
        print_spread(took, good, nr - good);
    return good ? 0 : 1;
}

int main(int argc, char **argv)
{
    const char *what = argc > 2 ? argv[1] : "";
    if (!strcmp(what, "echo"))
        echo(argv[2]);
    if (!strcmp(what, "sink") && argc == 4)
        return sink(argv[2], (unsigned)atoi(argv[3]));
    if (!strcmp(what, "flood") && argc > 4)
        flood(argv[2], (unsigned)atoi(argv[3]), argv + 4, argc - 4);
    if (!strcmp(what, "rtt") && argc == 5)
        return rtt(argv[2], argv[3], (uint32_t)atoi(argv[4]));
    fprintf(stderr, "udp: see udp.c\n");
    return 2;
}
