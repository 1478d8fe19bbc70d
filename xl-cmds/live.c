/* SPDX-License-Identifier: LGPL-2.1-only */
#include "live.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

/* Another screen without a cursor, and back. */
#define ENTER "\033[?1049h\033[?25l"
#define LEAVE "\033[?25h\033[?1049l"
#define HOME "\033[H"
#define END_LINE "\033[K"
#define END_SCREEN "\033[J"

int live_read(struct live *live, const struct cmd *cmd, const char *seconds)
{
    uint32_t value = 1;
    if (seconds && !cmd_read_number(seconds, 1, LIVE_SECONDS_MAX, &value))
        return cmd_usage(live->env, cmd, "--watch=%s: not 1 to %u seconds",
                         seconds, LIVE_SECONDS_MAX);
    live->interval_ms = value * 1000;
    return 0;
}

/* --- one list ------------------------------------------------------------- */

/* What a list printed. */
struct frame {
    char *out, *err;
    size_t out_size, err_size;
    int status;
};

static void free_frame(struct frame *frame)
{
    free(frame->out);
    free(frame->err);
}

static void close_stream(FILE *stream)
{
    if (stream)
        fclose(stream);
}

/* The library's messages go where the command's do. False without memory. */
static bool take_frame(struct live *live, struct frame *frame)
{
    struct cmd_env *env = live->env, was = *live->env;
    *frame = (struct frame){ .status = CMD_FAILED };
    env->out = open_memstream(&frame->out, &frame->out_size);
    env->err = open_memstream(&frame->err, &frame->err_size);
    bool open = env->out && env->err;
    if (open)
        frame->status = live->list(live->user);
    close_stream(env->out);
    close_stream(env->err);
    env->out = was.out;
    env->err = was.err;
    if (!open)
        fprintf(env->err, "error: no memory\n");
    return open && frame->out && frame->err;
}

static bool is_same(const struct frame *a, const struct frame *b)
{
    return a->out && !strcmp(a->out, b->out) && !strcmp(a->err, b->err);
}

/* --- in place ------------------------------------------------------------- */

/* How many bytes of the line fit; of a letter in UTF-8 the first one counts. */
static size_t fitting(const char *line, size_t len, unsigned columns)
{
    size_t n = 0;
    for (unsigned width = 0; n < len; n++) {
        width += (line[n] & 0xc0) != 0x80;
        if (width > columns)
            break;
    }
    return n;
}

static unsigned count_lines(const char *text)
{
    unsigned lines = 0;
    for (; (text = strchr(text, '\n')); text++)
        lines++;
    return lines;
}

/* The first `lines` of the text, each after the end of what stands above it. */
static void paint_lines(FILE *out, const char *text, unsigned lines,
                        unsigned columns)
{
    for (unsigned i = 0; i < lines; i++) {
        size_t len = strcspn(text, "\n");
        fprintf(out, "%s%.*s" END_LINE, i ? "\r\n" : "",
                (int)fitting(text, len, columns), text);
        text += len + 1;
    }
}

/* The last line says how many more there are. */
static void paint(FILE *out, const char *text, unsigned lines, unsigned columns)
{
    unsigned nr = count_lines(text);
    fputs(HOME, out);
    if (nr <= lines) {
        paint_lines(out, text, nr, columns);
        if (nr < lines)
            fputs(nr ? "\r\n" END_SCREEN : END_SCREEN, out);
        return;
    }
    paint_lines(out, text, lines - 1, columns);
    fprintf(out, "%s(%u more lines)" END_LINE, lines > 1 ? "\r\n" : "",
            nr - (lines - 1));
}

static void show_in_place(const struct live *live,
                          const struct live_screen *screen,
                          const struct frame *frame)
{
    unsigned lines = 0, columns = 0;
    char *text = NULL, *all = NULL;
    size_t size;
    screen->size(screen->user, &lines, &columns);
    FILE *to = open_memstream(&text, &size);
    if (to && asprintf(&all, "%s%s", frame->out, frame->err) >= 0)
        paint(to, all, lines ? lines : 24, columns ? columns : 80);
    close_stream(to);
    if (text)
        fputs(text, live->env->out); /* as one, so that nothing flickers */
    fflush(live->env->out);
    free(text);
    free(all);
}

static void switch_screen(const struct live *live, bool in_place,
                          const char *sequence)
{
    if (!in_place)
        return;
    fputs(sequence, live->env->out);
    fflush(live->env->out);
}

/* --- elsewhere ------------------------------------------------------------ */

static void print_frame(const struct live *live, const struct frame *frame)
{
    fputs(frame->out, live->env->out);
    fflush(live->env->out); /* somebody may be following it */
    fputs(frame->err, live->env->err);
}

/* Between two tables there is a line. */
static void print_changed(const struct live *live, const struct frame *last,
                          const struct frame *frame)
{
    if (is_same(last, frame))
        return;
    if (last->out && *last->out && !live->json)
        fputc('\n', live->env->out);
    print_frame(live, frame);
}

/* --- again and again ------------------------------------------------------ */

static enum live_event wait_for_next(const struct live *live,
                                     const struct live_screen *screen,
                                     bool in_place)
{
    enum live_event event = screen->wait(screen->user, live->interval_ms);
    if (event != LIVE_SUSPEND)
        return event;
    switch_screen(live, in_place, LEAVE);
    screen->suspend(screen->user);
    switch_screen(live, in_place, ENTER);
    return LIVE_AGAIN;
}

static int follow_list(struct live *live, const struct live_screen *screen,
                       bool in_place, struct frame *last)
{
    do {
        struct frame frame;
        live->now_ms = screen->now_ms(screen->user);
        bool taken = take_frame(live, &frame);
        if (taken && in_place)
            show_in_place(live, screen, &frame);
        else if (taken)
            print_changed(live, last, &frame);
        free_frame(last);
        *last = frame;
        if (!taken || frame.status || ferror(live->env->out))
            return CMD_FAILED;
    } while (wait_for_next(live, screen, in_place) == LIVE_AGAIN);
    return CMD_OK;
}

int live_run_on(struct live *live, const struct live_screen *screen)
{
    bool in_place = screen->terminal && !live->json;
    struct frame last = { 0 };
    switch_screen(live, in_place, ENTER);
    int status = follow_list(live, screen, in_place, &last);
    switch_screen(live, in_place, LEAVE);
    if (in_place && last.out && last.err)
        print_frame(live, &last);
    free_frame(&last);
    return status;
}

/* --- the real world ------------------------------------------------------- */

struct world {
    int out, signals;
    sigset_t was;
};

static bool is_terminal(int fd)
{
    const char *term = getenv("TERM");
    return fd >= 0 && isatty(fd) && term && strcmp(term, "dumb") != 0;
}

static void real_size(void *user, unsigned *lines, unsigned *columns)
{
    const struct world *w = user;
    struct winsize size;
    if (ioctl(w->out, TIOCGWINSZ, &size))
        return;
    *lines = size.ws_row;
    *columns = size.ws_col;
}

static int64_t real_now_ms(void *user)
{
    struct timespec now;
    (void)user;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A signal that stayed pending would kill us once it is not blocked any more.
 * A window of another size is filled at once. */
static enum live_event real_wait(void *user, uint32_t ms)
{
    const struct world *w = user;
    struct pollfd fd = { .fd = w->signals, .events = POLLIN };
    struct signalfd_siginfo info;
    if (poll(&fd, 1, (int)ms) <= 0 ||
        read(w->signals, &info, sizeof(info)) != sizeof(info))
        return LIVE_AGAIN;
    if (info.ssi_signo == SIGTSTP)
        return LIVE_SUSPEND;
    return info.ssi_signo == SIGWINCH ? LIVE_AGAIN : LIVE_END;
}

static void real_suspend(void *user)
{
    (void)user;
    raise(SIGSTOP);
}

static bool begin_world(struct world *w)
{
    static const int signals[] = { SIGINT, SIGTERM, SIGTSTP, SIGWINCH };
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        sigaddset(&set, signals[i]);
    sigprocmask(SIG_BLOCK, &set, &w->was);
    w->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return w->signals >= 0;
}

static void end_world(struct world *w)
{
    if (w->signals >= 0)
        close(w->signals);
    sigprocmask(SIG_SETMASK, &w->was, NULL);
}

int live_run(struct live *live)
{
    struct world w = { .out = fileno(live->env->out) };
    const struct live_screen screen = {
        &w, is_terminal(w.out), real_size, real_now_ms, real_wait, real_suspend,
    };
    int status = CMD_FAILED;
    if (begin_world(&w))
        status = live_run_on(live, &screen);
    else
        fprintf(live->env->err, "error: no signalfd: %m\n");
    end_world(&w);
    return status;
}
