/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The version of a QEMU from its QMP greeting, over real sockets.
 */
#include "test.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "host/qmp.h"

#define LONG_MS 60000 /* never reached */
#define SHORT_MS 100 /* reached on purpose */

struct fixture {
    xlx_ctx *ctx;
    char dir[32], path[64];
    int listener;
    pid_t server;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    *state = f;
    snprintf(f->dir, sizeof(f->dir), "/tmp/xlx-qmp-XXXXXX");
    if (!mkdtemp(f->dir) || xlx_ctx_new(&f->ctx) || xlx__qmp_open(f->ctx))
        return -1;
    snprintf(f->path, sizeof(f->path), "%s/qmp", f->dir);
    strcpy(addr.sun_path, f->path);
    f->listener = socket(AF_UNIX, SOCK_STREAM, 0);
    return bind(f->listener, (struct sockaddr *)&addr, sizeof(addr)) ||
           listen(f->listener, 1);
}

static void end_server(struct fixture *f)
{
    if (f->server > 0) {
        kill(f->server, SIGKILL);
        waitpid(f->server, NULL, 0);
    }
    f->server = 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    end_server(f);
    close(f->listener);
    unlink(f->path);
    rmdir(f->dir);
    xlx_ctx_free(f->ctx);
    free(f);
    return 0;
}

/* A QEMU that says `text` to each client, in two pieces, and waits for its
 * end; NULL: that accepts nobody. */
static void serve(struct fixture *f, const char *text, size_t size)
{
    end_server(f);
    f->server = fork();
    if (f->server)
        return;
    for (;;) {
        char c;
        int fd = text ? accept(f->listener, NULL, NULL) : pause();
        if (write(fd, text, size / 2) < 0)
            continue;
        xlx__sleep_ms(20);
        if (write(fd, text + size / 2, size - size / 2) < 0)
            continue;
        if (size)
            while (read(fd, &c, 1) > 0) {}
        close(fd);
    }
}

static int ask(struct fixture *f, int ms, struct xlx__qemu_version *v)
{
    return f->ctx->qmp->ops->version(f->ctx->qmp, f->path, xlx__now_ms() + ms,
                                     v);
}

/* Debian 13's, as it comes. */
static const char greeting[] =
    "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 13, \"minor\": 0, "
    "\"major\": 10}, \"package\": \"Debian 1:10.0.13+ds-0+deb13u1\"}, "
    "\"capabilities\": [\"oob\"]}}\r\n";

static void the_greeting_has_the_version(void **state)
{
    struct fixture *f = *state;
    struct xlx__qemu_version v;
    serve(f, greeting, strlen(greeting));
    for (int i = 0; i < 3; i++) { /* it is left as it was found */
        v = (struct xlx__qemu_version){ 0 };
        assert_int_equal(ask(f, LONG_MS, &v), 0);
        assert_int_equal(v.major, 10);
        assert_int_equal(v.minor, 0);
        assert_int_equal(v.micro, 13);
    }
}

#define QEMU(version) "{\"QMP\": {\"version\": {\"qemu\": {" version "}}}}\n"

static void what_is_no_greeting_is_none(void **state)
{
    static const char *const texts[] = {
        "hello\n",
        "\n",
        "{}\n",
        "{\"QMP\": 10}\n",
        "[[[[[[[[\n",
        "{\"return\": {}}\n",
        QEMU("\"major\": 10, \"minor\": 0"),
        QEMU("\"major\": \"10\", \"minor\": 0, \"micro\": 0"),
        QEMU("\"major\": 10.5, \"minor\": 0, \"micro\": 0"),
        QEMU("\"major\": -1, \"minor\": 0, \"micro\": 0"),
        QEMU("\"major\": 10000, \"minor\": 0, \"micro\": 0"),
        QEMU("\"major\": 99999999999999999999, \"minor\": 0, \"micro\": 0"),
    };
    struct fixture *f = *state;
    struct xlx__qemu_version v;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        serve(f, texts[i], strlen(texts[i]));
        int rc = ask(f, LONG_MS, &v);
        if (rc != -EPROTO)
            fail_msg("%s: %d", texts[i], rc);
    }
    serve(f, QEMU("\"major\": 9999, \"minor\": 9999, \"micro\": 9999"),
          strlen(QEMU("\"major\": 9999, \"minor\": 9999, \"micro\": 9999")));
    assert_int_equal(ask(f, LONG_MS, &v), 0);
    assert_int_equal(v.micro, 9999);
}

static void a_line_without_end_is_none(void **state)
{
    struct fixture *f = *state;
    struct xlx__qemu_version v;
    char line[4096];
    memset(line, ' ', sizeof(line));
    memcpy(line, greeting, strlen(greeting) - 2);
    /* 4095 bytes with the end are read, and no more */
    line[4094] = '\n';
    serve(f, line, 4095);
    assert_int_equal(ask(f, LONG_MS, &v), 0);
    line[4094] = ' ';
    line[4095] = '\n';
    serve(f, line, 4096);
    assert_int_equal(ask(f, LONG_MS, &v), -EPROTO);
}

static void who_does_not_answer_is_not_waited_for(void **state)
{
    struct fixture *f = *state;
    struct xlx__qemu_version v;
    serve(f, NULL, 0); /* stopped, or with libxl, for good */
    int64_t before = xlx__now_ms();
    for (int i = 0; i < 4; i++) /* also where there is no room to wait */
        assert_int_equal(ask(f, SHORT_MS, &v), -ETIMEDOUT);
    assert_true(xlx__now_ms() - before < LONG_MS);
    serve(f, greeting, 20); /* in the midst of it */
    assert_int_equal(ask(f, SHORT_MS, &v), -ETIMEDOUT);
}

static void a_client_before_us_is_waited_for(void **state)
{
    struct fixture *f = *state;
    struct xlx__qemu_version v;
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    strcpy(addr.sun_path, f->path);
    serve(f, greeting, strlen(greeting));
    int libxl = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(libxl, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(ask(f, SHORT_MS, &v), -ETIMEDOUT);
    close(libxl);
    assert_int_equal(ask(f, LONG_MS, &v), 0);
}

static void nobody_there_is_told_at_once(void **state)
{
    struct fixture *f = *state;
    struct xlx__qemu_version v;
    serve(f, "", 0);
    assert_int_equal(ask(f, LONG_MS, &v), -ENODATA);
    end_server(f);
    close(f->listener);
    assert_int_equal(ask(f, LONG_MS, &v), -ECONNREFUSED);
    unlink(f->path);
    assert_int_equal(ask(f, LONG_MS, &v), -ENOENT);
    char deep[200];
    memset(deep, 'x', sizeof(deep) - 1);
    deep[sizeof(deep) - 1] = '\0';
    assert_int_equal(f->ctx->qmp->ops->version(f->ctx->qmp, deep, 0, &v),
                     -ENAMETOOLONG);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_greeting_has_the_version),
        TEST(what_is_no_greeting_is_none),
        TEST(a_line_without_end_is_none),
        TEST(who_does_not_answer_is_not_waited_for),
        TEST(a_client_before_us_is_waited_for),
        TEST(nobody_there_is_told_at_once),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
