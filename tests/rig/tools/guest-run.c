/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Runs a command inside a guest, over its console; guest/agent is the other
 * end and tells the protocol.
 *   guest-run [-t SECONDS] [-w SECONDS] GUEST COMMAND...
 * -t limits the command, -w the wait for the guest to take it up.
 * Exits with the command's status, or with 125 when there is no answer.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <xenstore.h>

enum { NO_ANSWER = 125, RESEND_MS = 3000 };

struct text {
    char *data;
    size_t size;
};

struct session {
    const char *guest;
    int tty;
    char id[40];
    struct text request; /* the line that asks */
    struct text answer;  /* what came back so far, in base64 */
    struct text line;    /* the line that is being read */
    int taken_up;
};

static void fail(const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    fputs("guest-run: ", stderr);
    vfprintf(stderr, format, ap);
    fputc('\n', stderr);
    va_end(ap);
    exit(NO_ANSWER);
}

/* What the host kept the whole machine waiting: see host/watch.sh. */
static int64_t waited_ms(void)
{
    FILE *file = fopen("/rig/run/waited", "re");
    long long ms = 0;

    if (!file)
        return 0;
    if (fscanf(file, "%lld", &ms) != 1)
        ms = 0;
    fclose(file);
    return ms;
}

/* The machine's own clock; what it waited is looked up twice a second. */
static int64_t now_ms(void)
{
    static int64_t waited, looked = INT64_MIN / 2;
    struct timespec t;
    int64_t ms;

    clock_gettime(CLOCK_MONOTONIC, &t);
    ms = t.tv_sec * 1000LL + t.tv_nsec / 1000000;
    if (ms - looked >= 500) {
        waited = waited_ms();
        looked = ms;
    }
    return ms - waited;
}

static void append(struct text *text, const char *data, size_t size)
{
    text->data = realloc(text->data, text->size + size + 1);
    if (!text->data)
        fail("out of memory");
    memcpy(text->data + text->size, data, size);
    text->size += size;
    text->data[text->size] = 0;
}

static const char digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void append_base64(struct text *text, const char *data, size_t size)
{
    for (size_t i = 0; i < size; i += 3) {
        uint32_t bits = 0;
        char four[4];

        for (size_t k = 0; k < 3; k++)
            bits = bits << 8 | (i + k < size ? (unsigned char)data[i + k] : 0);
        for (int k = 3; k >= 0; k--, bits >>= 6)
            four[k] = digits[bits & 63];
        for (size_t k = size - i; k < 3; k++)
            four[k + 1] = '=';
        append(text, four, 4);
    }
}

/* Anything but base64's digits is passed over. */
static struct text from_base64(const struct text *text)
{
    struct text result = { 0 };
    uint32_t bits = 0;
    int held = 0;

    for (size_t i = 0; i < text->size; i++) {
        const char *digit = strchr(digits, text->data[i]);

        if (!digit || !*digit)
            continue;
        bits = bits << 6 | (uint32_t)(digit - digits);
        held += 6;
        if (held >= 8) {
            char byte = (char)(bits >> (held -= 8));
            append(&result, &byte, 1);
        }
    }
    return result;
}

static char *read_key(struct xs_handle *xs, const char *domid, const char *key)
{
    char path[200];
    unsigned int size;

    snprintf(path, sizeof(path), "/local/domain/%s/%s", domid, key);
    return xs_read(xs, XBT_NULL, path, &size);
}

static int is_guest(struct xs_handle *xs, const char *domid, const char *guest)
{
    char *name = read_key(xs, domid, "name");
    int same = !strcmp(domid, guest) || (name && !strcmp(name, guest));

    free(name);
    return same;
}

/* The terminal of the guest's console; NULL when there is none (yet). */
static char *find_tty(const char *guest)
{
    struct xs_handle *xs = xs_open(0);
    unsigned int count = 0;
    char **domids, *tty = NULL;

    if (!xs)
        fail("no xenstore here");
    domids = xs_directory(xs, XBT_NULL, "/local/domain", &count);
    for (unsigned int i = 0; i < count && !tty; i++)
        if (is_guest(xs, domids[i], guest))
            tty = read_key(xs, domids[i], "console/tty");
    free(domids);
    xs_close(xs);
    return tty;
}

static void open_tty(struct session *s, int64_t until)
{
    struct termios mode;
    char *path;

    while (!(path = find_tty(s->guest)) || !*path) {
        free(path);
        if (now_ms() > until)
            fail("no guest %s, or it has no console", s->guest);
        usleep(100000);
    }
    s->tty = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK);
    if (s->tty < 0 || tcgetattr(s->tty, &mode))
        fail("%s: %s", path, strerror(errno));
    cfmakeraw(&mode);
    tcsetattr(s->tty, TCSANOW, &mode);
    free(path);
}

/* One conversation a guest at a time; the lock goes with the process. */
static void take_lock(const char *guest)
{
    char path[200];
    int lock;

    snprintf(path, sizeof(path), "/run/guest-run.%s.lock", guest);
    lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0 || flock(lock, LOCK_EX))
        fail("%s: %s", path, strerror(errno));
}

static void compose(struct session *s, int limit, char **words)
{
    struct text command = { 0 };
    char head[100];
    struct timespec t;

    for (; *words; words++) {
        append(&command, *words, strlen(*words));
        append(&command, words[1] ? " " : "\n", 1);
    }
    clock_gettime(CLOCK_REALTIME, &t);
    snprintf(s->id, sizeof(s->id), "%llx.%x",
             t.tv_sec * 1000000000ULL + t.tv_nsec, (unsigned int)getpid());
    /* The first line end closes whatever a cut off request left behind. */
    snprintf(head, sizeof(head), "\n@run %s %d ", s->id, limit);
    append(&s->request, head, strlen(head));
    append_base64(&s->request, command.data, command.size);
    append(&s->request, "\n", 1);
    free(command.data);
}

static void send_request(struct session *s, int64_t until)
{
    size_t sent = 0;

    s->answer.size = 0;
    while (sent < s->request.size) {
        struct pollfd p = { .fd = s->tty, .events = POLLOUT };
        ssize_t n =
            write(s->tty, s->request.data + sent, s->request.size - sent);

        if (n > 0)
            sent += (size_t)n;
        else if (errno != EAGAIN)
            fail("console of %s: %s", s->guest, strerror(errno));
        else if (now_ms() > until)
            fail("the console of %s takes nothing", s->guest);
        else
            poll(&p, 1, 100);
    }
}

/* The rest of the line behind "MARK ID ", or NULL. */
static const char *marked(const struct session *s, const char *mark)
{
    char head[60];
    const char *at;

    snprintf(head, sizeof(head), "%s %s", mark, s->id);
    at = strstr(s->line.data, head);
    return at ? at + strlen(head) : NULL;
}

static void finish(struct session *s, int status, size_t size, int64_t until)
{
    struct text output = from_base64(&s->answer);

    if (output.size == size) {
        fwrite(output.data, 1, output.size, stdout);
        fflush(stdout);
        exit(status);
    }
    /* Something was lost on the way: the guest has it still. */
    free(output.data);
    send_request(s, until);
}

static void on_line(struct session *s, int64_t until)
{
    const char *rest;
    size_t size;
    int status;

    if (marked(s, "@ack")) {
        s->taken_up = 1;
    } else if ((rest = marked(s, "@out"))) {
        s->taken_up = 1;
        append(&s->answer, rest, strlen(rest));
    } else if ((rest = marked(s, "@end")) &&
               sscanf(rest, " %d %zu", &status, &size) == 2) {
        finish(s, status, size, until);
    }
}

static void read_lines(struct session *s, int64_t until)
{
    char data[4096];
    ssize_t n = read(s->tty, data, sizeof(data));

    if (n <= 0 && errno != EAGAIN)
        fail("the console of %s went away", s->guest);
    for (ssize_t i = 0; i < n; i++) {
        if (data[i] == '\r' || !data[i])
            continue;
        if (data[i] != '\n') {
            append(&s->line, data + i, 1);
            continue;
        }
        append(&s->line, "", 0);
        on_line(s, until);
        s->line.size = 0;
    }
}

static void converse(struct session *s, int limit, int64_t taken_until)
{
    int64_t until = taken_until + (limit + 15) * 1000LL, resend = 0;

    for (;;) {
        struct pollfd p = { .fd = s->tty, .events = POLLIN };
        int64_t now = now_ms();

        if (now > (s->taken_up ? until : taken_until))
            fail("guest %s %s", s->guest,
                 s->taken_up ? "did not end the command" : "does not answer");
        if (!s->taken_up && now >= resend) {
            send_request(s, taken_until);
            resend = now + RESEND_MS;
        }
        poll(&p, 1, 200);
        if (p.revents)
            read_lines(s, until);
    }
}

int main(int argc, char **argv)
{
    struct session s = { 0 };
    int limit = 60, wait = 30, option;
    int64_t until;

    while ((option = getopt(argc, argv, "+t:w:")) != -1) {
        if (option == '?')
            return 2;
        *(option == 't' ? &limit : &wait) = atoi(optarg);
    }
    if (argc - optind < 2) {
        fputs("usage: guest-run [-t SECONDS] [-w SECONDS] GUEST COMMAND...\n",
              stderr);
        return 2;
    }
    s.guest = argv[optind];
    take_lock(s.guest);
    until = now_ms() + wait * 1000LL;
    open_tty(&s, until);
    compose(&s, limit, argv + optind + 1);
    converse(&s, limit, until);
}
