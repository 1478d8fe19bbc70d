/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The USB policy: how lines are read, which devices it lets through, and where
 * it is read from.
 */
#include "test.h"

#include <sys/stat.h>
#include <unistd.h>

#include "fakes/usb_world.h"
#include "usb/admission/policy.h"

#define NR(a) (sizeof(a) / sizeof((a)[0]))

/* As the tests below write a policy; `len` bytes from a literal. */
static int parse(struct xlx__policy **policy_r, const char *text, size_t len,
                 struct xlx__policy_error *error)
{
    /* A copy of exactly that size: reading beyond it is seen. */
    char *copy = malloc(len ? len : 1);
    memcpy(copy, text, len);
    *policy_r = calloc(1, sizeof(**policy_r));
    int rc = xlx__policy_parse(*policy_r, "f", copy, len, error);
    free(copy);
    return rc;
}

static struct xlx__policy *parsed(const char *text)
{
    struct xlx__policy *policy;
    struct xlx__policy_error error;
    if (parse(&policy, text, strlen(text), &error))
        fail_msg("%s: line %u: %s", text, error.line, error.text);
    return policy;
}

/* --- lines ---------------------------------------------------------------- */

struct line {
    const char *text;
    size_t len;
    const char *rule;  /* as it is understood; NULL: none */
    const char *error; /* or why it is not */
};

#define LINE(text, ...)                     \
    {                                       \
        text, sizeof(text) - 1, __VA_ARGS__ \
    }

static const struct line lines[] = {
    /* rules */
    LINE("ALLOW:", "ALLOW:", NULL),
    LINE("DENY:", "DENY:", NULL),
    LINE("DENY:\n", "DENY:", NULL),
    LINE("DENY:\r\n", "DENY:", NULL),
    LINE("DENY: class=08\r\n", "DENY: class=08", NULL),
    LINE("DENY: class=08\r", "DENY: class=08", NULL),
    LINE("ALLOW:vid=056a pid=0315 class=03 # Wacom Intuos tablet",
         "ALLOW: vid=056a pid=0315 class=03", NULL),
    LINE("DENY: class=03 subclass=01 prot=01#no blank",
         "DENY: class=03 subclass=01 prot=01", NULL),
    LINE("ALLOW: # Otherwise allow everything else", "ALLOW:", NULL),
    LINE(" \tdeny \t: \tVID = 056A\tpid= 0001 rel =FFFF \t",
         "DENY: vid=056a pid=0001 rel=ffff", NULL),
    LINE("Allow: Prot=ff SubClass=00", "ALLOW: subclass=00 prot=ff", NULL),
    LINE("DENY: prot=03 subclass=02 class=01 rel=0003 pid=0002 vid=0001",
         "DENY: vid=0001 pid=0002 rel=0003 class=01 subclass=02 prot=03", NULL),
    /* no rules */
    LINE("", NULL, NULL),
    LINE("\n", NULL, NULL),
    LINE("\r\n", NULL, NULL),
    LINE(" \t ", NULL, NULL),
    LINE("#", NULL, NULL),
    LINE("  # ALLOW: x", NULL, NULL),
    LINE("# \xc3\xa4\xff\x01", NULL, NULL),
    /* actions */
    LINE("ALLOW", NULL, "ALLOW: a rule begins with ALLOW: or DENY:"),
    LINE(":", NULL, "a rule begins with ALLOW: or DENY:"),
    LINE(": vid=1234", NULL, "a rule begins with"),
    LINE("PERMIT: vid=1234", NULL, "PERMIT: a rule begins with"),
    LINE("ALLOWED:", NULL, "ALLOWED: a rule begins with"),
    LINE("ALLO:", NULL, "ALLO: a rule begins with"),
    LINE("ALLOW vid=1234", NULL, "ALLOW: a rule begins with"),
    LINE("ALLOW DENY:", NULL, "ALLOW: a rule begins with"),
    LINE("vid=1234", NULL, "vid=1234: a rule begins with"),
    LINE("\xef\xbb\xbf"
         "DENY:",
         NULL, "???DENY: a rule begins with"),
    LINE("\x0b"
         "DENY:",
         NULL, "?DENY: a rule begins with"),
    /* keys */
    LINE("DENY: vendor=1234", NULL, "vendor: no such key: vid, pid"),
    LINE("DENY: vi=1234", NULL, "vi: no such key"),
    LINE("DENY: vidd=1234", NULL, "vidd: no such key"),
    LINE("DENY: =1234", NULL, "no such key"),
    LINE("DENY: DENY: vid=1234", NULL, "DENY:: no such key"),
    LINE("DENY: class=03,subclass=01", NULL, "03,subclass=01: not 2"),
    LINE("DENY: vid=1234 1234", NULL, "1234: no such key"),
    LINE("DENY: vid!=1234", NULL, "vid!: no such key"),
    LINE("DENY: vid", NULL, "vid: has no value"),
    LINE("DENY: vid pid=1234", NULL, "vid: has no value"),
    LINE("DENY: vid=1234 vid=1234", NULL, "vid: stands twice"),
    LINE("DENY: vid=1234 VID=4321", NULL, "VID: stands twice"),
    /* values */
    LINE("DENY: vid=", NULL, "not 4 hexadecimal digits"),
    LINE("DENY: vid= # 1234", NULL, "not 4 hexadecimal digits"),
    LINE("DENY: vid=123", NULL, "123: not 4 hexadecimal digits"),
    LINE("DENY: vid=12345", NULL, "12345: not 4 hexadecimal digits"),
    LINE("DENY: pid=0x12", NULL, "0x12: not 4 hexadecimal digits"),
    LINE("DENY: rel=+123", NULL, "+123: not 4 hexadecimal digits"),
    LINE("DENY: rel=0100-0200", NULL, "0100-0200: not 4 hexadecimal digits"),
    LINE("DENY: vid=12g4", NULL, "12g4: not 4 hexadecimal digits"),
    LINE("DENY: vid==123", NULL, "=123: not 4 hexadecimal digits"),
    LINE("DENY: class=3", NULL, "3: not 2 hexadecimal digits"),
    LINE("DENY: subclass=003", NULL, "003: not 2 hexadecimal digits"),
    LINE("DENY: prot=*", NULL, "*: not 2 hexadecimal digits"),
    LINE("DENY: vid=1234pid=1234", NULL, "1234pid=1234: not 4"),
    LINE("DENY: vid=\xd9\xa1\xd9\xa2", NULL, "????: not 4"),
    /* what one reader takes for the end of a line and another does not */
    LINE("DENY: vid=1234\0", NULL, "a NUL byte"),
    LINE("\0DENY:", NULL, "a NUL byte"),
    LINE("# comment\0", NULL, "a NUL byte"),
    LINE("ALLOW: # all\rDENY: class=03\r\n", NULL, "a carriage return inside"),
    LINE("ALLOW:\r\r\n", NULL, "a carriage return inside"),
    /* what a message quotes is short and printable */
    LINE("DENY: \x1b[31m=1", NULL, "?[31m: no such key"),
    LINE("DENY: abcdefghijklmnopqrstuvwxyz0123456789=1", NULL,
         "abcdefghijklmnopqrstuvwxyz012345...: no such key"),
};

static void check_line(const struct line *line)
{
    struct xlx__policy *policy;
    struct xlx__policy_error error;
    struct xlx_usb_policy_rule rule = { 0 };
    int rc = parse(&policy, line->text, line->len, &error);
    if (rc != (line->error ? -EBADMSG : 0))
        fail_msg("%s: %d: %s", line->text, rc, error.text);
    if (line->error && (error.line != 1 || !strstr(error.text, line->error)))
        fail_msg("%s: line %u: %s", line->text, error.line, error.text);
    if (policy->nr != (line->rule ? 1 : 0))
        fail_msg("%s: %zu rules", line->text, policy->nr);
    if (line->rule) {
        xlx__policy_describe(policy, policy->rule, &rule);
        assert_string_equal(rule.text, line->rule);
        assert_string_equal(rule.file, "f");
        assert_int_equal(rule.line, 1);
        assert_int_equal(rule.allow, line->rule[0] == 'A');
    }
    xlx__policy_free(policy);
}

static void lines_are_read_strictly(void **state)
{
    (void)state;
    for (size_t i = 0; i < NR(lines); i++)
        check_line(&lines[i]);
}

static void the_broken_line_is_named(void **state)
{
    (void)state;
    static const char text[] = "# first\n\nALLOW: vid=1234\r\n\nDENY: clas=03\n"
                               "ALLOW:\n";
    struct xlx__policy *policy;
    struct xlx__policy_error error;
    assert_int_equal(parse(&policy, text, strlen(text), &error), -EBADMSG);
    assert_int_equal(error.line, 5);
    xlx__policy_free(policy);
}

/* Every cut and every single changed byte of a good text is read or refused. */
static void damaged_text_is_read_or_refused(void **state)
{
    (void)state;
    char text[] = "DENY: vid=056a pid=0315 # x\r\nALLOW:\n";
    static const char bytes[] = { '\0', '\n', '\r', ' ', '#', ':',
                                  '=',  'g',  '0',  -1,  '\t' };
    struct xlx__policy_error error;
    struct xlx__policy *policy;
    for (size_t n = 0; n < sizeof(text); n++) {
        parse(&policy, text, n, &error);
        xlx__policy_free(policy);
        for (size_t b = 0; b < sizeof(bytes); b++) {
            char was = text[n];
            text[n] = bytes[b];
            parse(&policy, text, sizeof(text) - 1, &error);
            xlx__policy_free(policy);
            text[n] = was;
        }
    }
}

static void long_lines_are_lines(void **state)
{
    (void)state;
    size_t len = XLX__POLICY_FILE_BYTES;
    char *text = malloc(len);
    struct xlx__policy *policy;
    struct xlx__policy_error error;
    memset(text, ' ', len);
    memcpy(text, "DENY:", 5);
    memcpy(text + len - 8, "class=03", 8);
    assert_int_equal(parse(&policy, text, len, &error), 0);
    assert_int_equal(policy->nr, 1);
    assert_int_equal(policy->rule->value[XLX__POLICY_CLASS], 3);
    xlx__policy_free(policy);
    memset(text, 'x', len);
    assert_int_equal(parse(&policy, text, len, &error), -EBADMSG);
    xlx__policy_free(policy);
    free(text);
}

static void rules_are_counted(void **state)
{
    (void)state;
    static const char rule[] = "DENY:\n";
    size_t n = strlen(rule), nr = XLX__POLICY_RULES_MAX;
    char *text = malloc((nr + 1) * n);
    struct xlx__policy *policy;
    struct xlx__policy_error error;
    for (size_t i = 0; i <= nr; i++)
        memcpy(text + i * n, rule, n);
    assert_int_equal(parse(&policy, text, nr * n, &error), 0);
    assert_int_equal(policy->nr, nr);
    xlx__policy_free(policy);
    assert_int_equal(parse(&policy, text, (nr + 1) * n, &error), -E2BIG);
    assert_int_equal(error.line, nr + 1);
    xlx__policy_free(policy);
    free(text);
}

/* --- devices -------------------------------------------------------------- */

enum { KEYBOARD, HEADSET, TOKEN, BARE, BARE_HID, MANY, TWO, MANY_KINDS };

static const struct xlx__usbdev devs[] = {
    [KEYBOARD] = { .busid = "1-1",
                   .vendor = 0x046d,
                   .product = 0xc31c,
                   .release = 0x6402,
                   .nr_intfs = 2,
                   .intf = { { 0, 3, 1, 1 }, { 1, 3, 0, 0 } } },
    /* sound, and keys for the volume; its numbers have a gap */
    [HEADSET] = { .busid = "1-2",
                  .vendor = 0x0d8c,
                  .product = 0x0014,
                  .release = 0x0100,
                  .nr_intfs = 3,
                  .intf = { { 0, 1, 1, 0 }, { 1, 1, 2, 0 }, { 4, 3, 0, 0 } } },
    [TOKEN] = { .busid = "1-3",
                .vendor = 0x1050,
                .product = 0x0407,
                .release = 0x0543,
                .nr_intfs = 2,
                .intf = { { 0, 3, 1, 1 }, { 1, 0x0b, 0, 0 } } },
    /* not configured; what the second says of itself tells nothing either */
    [BARE] = { .busid = "1-4", .vendor = 0x1111, .product = 0x2222 },
    [BARE_HID] = { .busid = "1-5",
                   .vendor = 0x1111,
                   .product = 0x2222,
                   .class = 3,
                   .subclass = 1,
                   .protocol = 2 },
    [MANY] = { .busid = "1-6",
               .vendor = 0x3333,
               .product = 0x4444,
               .nr_intfs = 1,
               .more_intfs = true,
               .intf = { { 0, 8, 6, 0x50 } } },
    /* a disk by two protocols, and in a second configuration a keyboard */
    [TWO] = { .busid = "1-7",
              .vendor = 0x5555,
              .product = 0x6666,
              .nr_intfs = 1,
              .intf = { { 0, 8, 6, 0x50 } },
              .nr_kinds = 4,
              .kind = { { 0, 8, 6, 0x50 },
                        { 0, 8, 6, 0x62 },
                        { 0, 8, 6, 0x50 },
                        { 1, 3, 1, 1 } } },
    [MANY_KINDS] = { .busid = "1-8",
                     .vendor = 0x5555,
                     .product = 0x6666,
                     .nr_intfs = 1,
                     .intf = { { 0, 8, 6, 0x50 } },
                     .nr_kinds = 1,
                     .kind = { { 0, 8, 6, 0x50 } },
                     .more_kinds = true },
};

struct verdict {
    const char *policy;
    int dev;
    bool allowed;
    const char *rule;
    int intf;
};

static const struct verdict verdicts[] = {
    /* the first match wins */
    { "ALLOW:\nDENY:\n", KEYBOARD, true, "f:1: ALLOW:", 0 },
    { "DENY:\nALLOW:\n", KEYBOARD, false, "f:1: DENY:", 0 },
    { "DENY: class=08\nALLOW:", KEYBOARD, true, "f:2: ALLOW:", 0 },
    { "ALLOW: vid=1050 pid=0407\nDENY: class=03\nALLOW:", TOKEN, true,
      "f:1: ALLOW: vid=1050 pid=0407", 0 },
    { "ALLOW: vid=1050 pid=0407\nDENY: class=03\nALLOW:", KEYBOARD, false,
      "f:2: DENY: class=03", 0 },
    /* no match: denied, if only one file is there */
    { "", KEYBOARD, false, "", 0 },
    { "# nothing\n", BARE, false, "", -1 },
    { "DENY: class=08\n", KEYBOARD, false, "", 0 },
    { "ALLOW: class=01\n", HEADSET, false, "", 4 },
    /* every interface has to pass */
    { "DENY: class=03\nALLOW:", HEADSET, false, "f:1: DENY: class=03", 4 },
    { "ALLOW: class=01\nALLOW: class=03 subclass=00\n", HEADSET, true,
      "f:1: ALLOW: class=01", 0 },
    { "ALLOW: class=0b\nDENY:", TOKEN, false, "f:2: DENY:", 0 },
    /* every key has to match */
    { "DENY: class=03 subclass=01 prot=01\nALLOW:", KEYBOARD, false,
      "f:1: DENY: class=03 subclass=01 prot=01", 0 },
    { "DENY: class=03 subclass=01 prot=02\nALLOW:", KEYBOARD, true,
      "f:2: ALLOW:", 0 },
    { "ALLOW: vid=046d pid=c31c rel=6402", KEYBOARD, true,
      "f:1: ALLOW: vid=046d pid=c31c rel=6402", 0 },
    { "ALLOW: vid=046d pid=c31c rel=6401", KEYBOARD, false, "", 0 },
    { "ALLOW: vid=046d pid=c31d", KEYBOARD, false, "", 0 },
    { "ALLOW: vid=046e pid=c31c", KEYBOARD, false, "", 0 },
    { "ALLOW: vid=0000", KEYBOARD, false, "", 0 },
    /* a device without interfaces */
    { "DENY: class=03\nALLOW:", BARE, false, "f:1: DENY: class=03", -1 },
    { "DENY: subclass=03\nALLOW:", BARE, false, "f:1: DENY: subclass=03", -1 },
    { "DENY: prot=03\nALLOW:", BARE, false, "f:1: DENY: prot=03", -1 },
    { "DENY: class=08\nALLOW:", BARE_HID, false, "f:1: DENY: class=08", -1 },
    { "DENY: vid=1111 class=08\nALLOW:", BARE, false,
      "f:1: DENY: vid=1111 class=08", -1 },
    { "DENY: vid=1112 class=08\nALLOW:", BARE, true, "f:2: ALLOW:", -1 },
    { "ALLOW: class=03", BARE_HID, false, "", -1 },
    { "ALLOW: vid=1111 prot=00\nDENY: class=08\nALLOW:", BARE, false,
      "f:2: DENY: class=08", -1 },
    { "ALLOW: vid=1111\nDENY: class=08", BARE, true, "f:1: ALLOW: vid=1111",
      -1 },
    { "DENY: vid=1112\nALLOW: pid=2222", BARE_HID, true, "f:2: ALLOW: pid=2222",
      -1 },
    { "ALLOW: class=03\nDENY: vid=1111", BARE, false, "f:2: DENY: vid=1111",
      -1 },
    /* one with more than were read */
    { "ALLOW:", MANY, false, "", -1 },
    { "DENY: class=08\nALLOW:", MANY, false, "f:1: DENY: class=08", 0 },
    /* one that can be something else */
    { "DENY: class=03\nALLOW:", TWO, false, "f:1: DENY: class=03", 1 },
    { "ALLOW: class=08", TWO, false, "", 1 },
    { "ALLOW: class=08\nALLOW: class=03", TWO, true, "f:1: ALLOW: class=08",
      0 },
    { "DENY: prot=62\nALLOW:", TWO, false, "f:1: DENY: prot=62", 0 },
    { "ALLOW: vid=5555", TWO, true, "f:1: ALLOW: vid=5555", 0 },
    { "ALLOW:", MANY_KINDS, false, "", -1 },
};

static void devices_are_judged(void **state)
{
    (void)state;
    for (size_t i = 0; i < NR(verdicts); i++) {
        const struct verdict *want = &verdicts[i];
        struct xlx__policy *policy = parsed(want->policy);
        struct xlx__policy_verdict got;
        memset(&got, 0x5a, sizeof(got));
        xlx__policy_check(policy, &devs[want->dev], &got);
        if (got.allowed != want->allowed || got.intf != want->intf ||
            strcmp(got.rule, want->rule))
            fail_msg("%s, device %d: %d, interface %d, '%s'", want->policy,
                     want->dev, got.allowed, got.intf, got.rule);
        xlx__policy_free(policy);
    }
}

static void without_a_file_everything_is_allowed(void **state)
{
    (void)state;
    static const struct xlx__policy none;
    for (size_t i = 0; i < NR(devs); i++) {
        struct xlx__policy_verdict got;
        memset(&got, 0x5a, sizeof(got));
        xlx__policy_check(&none, &devs[i], &got);
        assert_true(got.allowed);
        assert_string_equal(got.rule, "");
        assert_int_equal(got.intf, -1);
    }
}

/* The longest that can be: a long path, the last line, all keys. */
static void a_long_rule_is_told_whole(void **state)
{
    (void)state;
    char path[300] = "/";
    struct xlx__policy *policy = calloc(1, sizeof(*policy));
    struct xlx__policy_verdict got;
    struct xlx__policy_error error;
    static const char text[] =
        "DENY: vid=046d pid=c31c rel=6402 class=03 subclass=01 prot=01";
    memset(path + 1, 'x', sizeof(path) - 8);
    strcpy(path + sizeof(path) - 7, "\x1b/conf");
    assert_int_equal(
        xlx__policy_parse(policy, path, text, strlen(text), &error), 0);
    policy->rule->line = UINT32_MAX;
    xlx__policy_check(policy, &devs[KEYBOARD], &got);
    assert_memory_equal(got.rule, "...xxx", 6);
    assert_string_equal(strchr(got.rule, '?'),
                        "?/conf:4294967295: DENY: vid=046d pid=c31c rel=6402 "
                        "class=03 subclass=01 prot=01");
    xlx__policy_free(policy);
}

/* --- files ---------------------------------------------------------------- */

static int setup(void **state)
{
    *state = usb_world_new();
    return 0;
}

static int teardown(void **state)
{
    usb_world_free(*state);
    return 0;
}

/* The policy's path with `rest` behind it; a buffer of the caller's. */
static char *path_of(struct usb_world *w, const char *rest, char buf[256])
{
    snprintf(buf, 256, "%s%s", xlx_ctx_path(w->ctx, XLX_PATH_USB_POLICY), rest);
    return buf;
}

static void put_bytes(struct usb_world *w, const char *rest, const char *text,
                      size_t len)
{
    char path[256];
    FILE *f = fopen(path_of(w, rest, path), "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

static void put(struct usb_world *w, const char *rest, const char *text)
{
    put_bytes(w, rest, text, strlen(text));
}

static void make_folder(struct usb_world *w)
{
    char path[256];
    assert_int_equal(mkdir(path_of(w, ".d", path), 0755), 0);
}

/* The rules as one string, "FILE:LINE: RULE|" each, files without folder. */
static void assert_rules(struct usb_world *w, const char *want)
{
    struct xlx_usb_policy_rule *list;
    char got[1024];
    size_t n = 0;
    int nr = xlx_usb_policy_rules(w->ctx, &list);
    if (nr < 1)
        fail_msg("%d: %s", nr, xlx_ctx_error(w->ctx));
    for (int i = 0; i < nr; i++) {
        const char *slash = strrchr(list[i].file, '/');
        n +=
            (size_t)snprintf(got + n, sizeof(got) - n, "%s:%u: %s%s|",
                             slash ? slash + 1 : "", list[i].line, list[i].text,
                             list[i].line    ? ""
                             : list[i].allow ? "allowed"
                                             : "denied");
    }
    free(list);
    assert_string_equal(got, want);
}

static void no_file_allows_and_an_empty_one_denies(void **state)
{
    struct usb_world *w = *state;
    assert_rules(w, ":0: allowed|");
    make_folder(w);
    assert_rules(w, ":0: allowed|");
    put(w, ".d/README", "nonsense");
    assert_rules(w, ":0: allowed|");
    put(w, "", "");
    assert_rules(w, ":0: denied|");
}

static void a_file_of_the_folder_is_enough(void **state)
{
    struct usb_world *w = *state;
    make_folder(w);
    put(w, ".d/a.conf", "");
    assert_rules(w, ":0: denied|");
}

static void files_are_read_in_the_order_of_their_bytes(void **state)
{
    struct usb_world *w = *state;
    make_folder(w);
    put(w, ".d/b.conf", "DENY: class=05\nALLOW:");
    put(w, ".d/9.conf", "DENY: class=02");
    put(w, ".d/10.conf", "# x\nDENY: class=01\n");
    put(w, ".d/B.conf", "DENY: class=04");
    put(w, ".d/A.conf", "DENY: class=03\n");
    put(w, "", "\nDENY: vid=1234\n");
    /* none of these is read */
    put(w, ".d/.c.conf", "nonsense");
    put(w, ".d/.conf", "nonsense");
    put(w, ".d/c.conf~", "nonsense");
    put(w, ".d/c.conf.dpkg-new", "nonsense");
    put(w, ".d/conf", "nonsense");
    assert_rules(w, "usb-policy.conf:2: DENY: vid=1234|"
                    "10.conf:2: DENY: class=01|9.conf:1: DENY: class=02|"
                    "A.conf:1: DENY: class=03|B.conf:1: DENY: class=04|"
                    "b.conf:1: DENY: class=05|b.conf:2: ALLOW:|:0: denied|");
}

/* All three calls fail alike, and leave their results alone. */
static void assert_fails(struct usb_world *w, int rc, const char *says)
{
    void *canary = w;
    struct xlx_usb_policy_rule *rules = canary;
    struct xlx_usb_policy_verdict *list = canary, verdict = { .release = 7 };
    struct xlx__policy *policy = canary;
    assert_int_equal(xlx__policy_load(w->ctx, &policy), rc);
    assert_ptr_equal(policy, canary);
    assert_int_equal(xlx_usb_policy_rules(w->ctx, &rules), rc);
    assert_ptr_equal(rules, canary);
    assert_int_equal(xlx_usb_policy_check_all(w->ctx, &list, sizeof(*list)),
                     rc);
    assert_ptr_equal(list, canary);
    assert_int_equal(
        xlx_usb_policy_check(w->ctx, "1-2", &verdict, sizeof(verdict)), rc);
    assert_int_equal(verdict.release, 7);
    assert_false(verdict.allowed);
    const char *error = xlx_ctx_error(w->ctx);
    if (!strstr(error, "cannot be read, so every device is denied: ") ||
        !strstr(error, says))
        fail_msg("%s: not in: %s", says, error);
}

static void a_broken_line_denies_everything(void **state)
{
    struct usb_world *w = *state;
    put(w, "", "ALLOW:\nALOW: vid=1234\n");
    assert_fails(w, -EBADMSG, "/usb-policy.conf:2: ALOW: a rule begins with");
    put(w, "", "ALLOW:\n");
    make_folder(w);
    put(w, ".d/z.conf", "\n\nDENY: vid=123\n");
    assert_fails(w, -EBADMSG, "/usb-policy.conf.d/z.conf:3: 123: not 4");
    put(w, ".d/z.conf", "");
    assert_rules(w, "usb-policy.conf:1: ALLOW:|:0: denied|");
}

static void what_is_no_readable_file_denies_everything(void **state)
{
    struct usb_world *w = *state;
    char path[256];
    path_of(w, "", path);
    assert_int_equal(mkdir(path, 0755), 0);
    assert_fails(w, -EINVAL, "usb-policy.conf: is not a regular file");
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(mkfifo(path, 0644), 0); /* and nobody waits for it */
    assert_fails(w, -EINVAL, "is not a regular file");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("usb-policy.conf", path), 0);
    assert_fails(w, -ELOOP, "usb-policy.conf: Too many levels");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("nowhere", path), 0);
    assert_fails(w, -ENOENT, "usb-policy.conf: No such file");
    assert_int_equal(unlink(path), 0);
    assert_rules(w, ":0: allowed|");
}

static void so_does_an_unreadable_folder(void **state)
{
    struct usb_world *w = *state;
    char path[256], file[256];
    path_of(w, ".d", path);
    put(w, ".d", "");
    assert_fails(w, -ENOTDIR, "usb-policy.conf.d: Not a directory");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("nowhere", path), 0);
    assert_fails(w, -ENOENT, "usb-policy.conf.d: No such file");
    assert_int_equal(unlink(path), 0);
    make_folder(w);
    assert_int_equal(symlink("nowhere", path_of(w, ".d/a.conf", file)), 0);
    assert_fails(w, -ENOENT, "a.conf: No such file");
    assert_int_equal(unlink(file), 0);
    assert_int_equal(mkdir(file, 0755), 0);
    assert_fails(w, -EINVAL, "a.conf: is not a regular file");
}

static void sizes_are_limited(void **state)
{
    struct usb_world *w = *state;
    size_t max = XLX__POLICY_FILE_BYTES;
    char *text = malloc(max + 1);
    memset(text, '\n', max + 1);
    put_bytes(w, "", text, max);
    assert_rules(w, ":0: denied|");
    put_bytes(w, "", text, max + 1);
    assert_fails(w, -EFBIG, "usb-policy.conf: larger than 1048576 bytes");
    /* rules: over all files together */
    for (size_t i = 0; i < XLX__POLICY_RULES_MAX; i++)
        memcpy(text + 6 * i, "DENY:\n", 6);
    put_bytes(w, "", text, 6 * XLX__POLICY_RULES_MAX);
    make_folder(w);
    put(w, ".d/a.conf", "# one more\nDENY:");
    assert_fails(w, -E2BIG, "a.conf:2: more than 4096 rules");
    free(text);
}

/* --- the calls ------------------------------------------------------------ */

static void a_verdict_tells_all_interfaces(void **state)
{
    struct usb_world *w = *state;
    struct xlx_usb_policy_verdict v;
    put(w, "", "ALLOW: vid=46f4 class=08\n");
    assert_int_equal(xlx_usb_policy_check(w->ctx, "1-2", &v, sizeof(v)), 0);
    assert_string_equal(v.busid, "1-2");
    assert_int_equal(v.vendor, 0x46f4);
    assert_int_equal(v.product, 1);
    assert_false(v.allowed);
    assert_int_equal(v.nr_intfs, 2);
    assert_int_equal(v.decided, 1);
    assert_true(v.intf[0].rule.allow);
    assert_int_equal(v.intf[0].class_code, 8);
    assert_int_equal(v.intf[0].subclass, 6);
    assert_int_equal(v.intf[0].protocol, 0x50);
    assert_string_equal(v.intf[0].rule.text, "ALLOW: vid=46f4 class=08");
    assert_int_equal(v.intf[1].number, 1);
    assert_false(v.intf[1].rule.allow);
    assert_int_equal(v.intf[1].rule.line, 0);
    assert_string_equal(v.intf[1].rule.text, "");
}

/* A guest may choose the second configuration. */
static void a_keyboard_that_is_not_active(void **state)
{
    /* clang-format off */
    static const unsigned char bytes[] = {
        18, 1, 0, 2, 0, 0, 0, 64, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, /* device */
        9, 2, 0, 0, 1, 1, 0, 0x80, 50, 9, 4, 0, 0, 2, 8, 6, 0x50, 0,
        9, 2, 0, 0, 1, 2, 0, 0x80, 50, 9, 4, 0, 0, 1, 3, 1, 1, 0,
    };
    /* clang-format on */
    const struct xlx_usb_place any = { XLX_USB_ANY, XLX_USB_ANY };
    struct usb_world *w = *state;
    struct xlx_usb_policy_verdict v;
    struct xlx_usb_place got;
    struct sysfs_dev *dev = sysfs_mem_find(w->sysfs, "1-2");
    dev->descriptors = bytes;
    dev->nr_descriptors = sizeof(bytes);
    put(w, "", "DENY: class=03\nALLOW:\n");
    assert_int_equal(xlx_usb_policy_check(w->ctx, "1-2", &v, sizeof(v)), 0);
    assert_false(v.allowed);
    assert_int_equal(v.nr_intfs, 3);
    assert_int_equal(v.decided, 2);
    assert_false(v.intf[0].inactive);
    assert_true(v.intf[2].inactive);
    assert_int_equal(v.intf[2].class_code, 3);
    assert_int_equal(xlx_usb_attach(w->ctx, 5, "1-2", &any, 0, 1000, &got),
                     -EACCES);
}

/* As many kinds as are read, one more, and what a verdict has room for. */
static void kinds_are_counted(void **state)
{
    enum { HEAD = 18 + 9, SIZE = HEAD + 9 * 33 };
    static unsigned char bytes[SIZE] = { 18, 1, [18] = 9, 2 };
    struct usb_world *w = *state;
    struct xlx_usb_policy_verdict v;
    struct sysfs_dev *dev = sysfs_mem_find(w->sysfs, "1-2");
    for (int i = 0; i < 33; i++) {
        unsigned char *p = bytes + HEAD + 9 * i;
        p[0] = 9;
        p[1] = 4;
        p[2] = (unsigned char)i;
        p[5] = 0xee;
        p[7] = (unsigned char)i;
    }
    dev->descriptors = bytes;
    put(w, "", "DENY: prot=1f\nALLOW:\n");
    for (int nr = 31; nr <= 33; nr++) {
        dev->nr_descriptors = HEAD + 9 * (size_t)nr;
        assert_int_equal(xlx_usb_policy_check(w->ctx, "1-2", &v, sizeof(v)), 0);
        assert_int_equal(v.nr_intfs, XLX_USB_POLICY_INTFS_MAX);
        assert_int_equal(v.allowed, nr == 31);
        assert_int_equal(v.more_intfs, nr == 33);
        assert_int_equal(v.intf[v.decided].rule.allow, nr == 31);
        assert_int_equal(v.intf[v.decided].protocol, nr == 31 ? 0x50 : 0x1f);
    }
}

static void what_is_no_device_has_no_verdict(void **state)
{
    struct usb_world *w = *state;
    struct xlx_usb_policy_verdict v;
    assert_int_equal(xlx_usb_policy_check(w->ctx, "1-9", &v, sizeof(v)),
                     -ENODEV);
    assert_int_equal(xlx_usb_policy_check(w->ctx, "../1", &v, sizeof(v)),
                     -EINVAL);
    assert_int_equal(xlx_usb_policy_check(w->ctx, "1-3", &v, sizeof(v)),
                     -ENOTSUP);
    assert_int_equal(xlx_usb_policy_check(w->ctx, "usb1", &v, sizeof(v)),
                     -ENOTSUP);
}

static void all_devices_but_hubs_have_one(void **state)
{
    struct usb_world *w = *state;
    struct xlx_usb_policy_verdict *list;
    put(w, "", "DENY: class=08\nALLOW:\n");
    assert_int_equal(xlx_usb_policy_check_all(w->ctx, &list, sizeof(*list)), 5);
    static const char *const busids[] = { "1-1", "1-2", "1-3.1", "1-4", "2-1" };
    for (size_t i = 0; i < NR(busids); i++) {
        assert_string_equal(list[i].busid, busids[i]);
        assert_int_equal(list[i].allowed,
                         strcmp(busids[i], "1-2") && strcmp(busids[i], "2-1"));
    }
    free(list);
    for (size_t i = 0; i < NR(busids); i++)
        sysfs_mem_unplug(w->sysfs, busids[i]);
    assert_int_equal(xlx_usb_policy_check_all(w->ctx, &list, sizeof(*list)), 0);
    assert_null(list);
}

/* Sysfs fails at each read in turn: no verdict, never a wrong one. */
static void a_device_that_cannot_be_read_is_not_judged(void **state)
{
    struct usb_world *w = *state;
    struct xlx_usb_policy_verdict v;
    int n = 1;
    put(w, "", "DENY: class=ff\nALLOW:\n");
    for (;; n++) {
        w->nth = (struct nth){ .fail_at = n };
        int rc = xlx_usb_policy_check(w->ctx, "1-2", &v, sizeof(v));
        bool failed = w->nth.calls >= n;
        assert_int_equal(rc, failed ? -EIO : 0);
        if (!failed)
            break;
    }
    assert_true(n > 16);
    assert_false(v.allowed);
    assert_int_equal(v.decided, 1);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_read_strictly),
        cmocka_unit_test(the_broken_line_is_named),
        cmocka_unit_test(damaged_text_is_read_or_refused),
        cmocka_unit_test(long_lines_are_lines),
        cmocka_unit_test(rules_are_counted),
        cmocka_unit_test(devices_are_judged),
        cmocka_unit_test(without_a_file_everything_is_allowed),
        cmocka_unit_test(a_long_rule_is_told_whole),
        TEST(no_file_allows_and_an_empty_one_denies),
        TEST(a_file_of_the_folder_is_enough),
        TEST(files_are_read_in_the_order_of_their_bytes),
        TEST(a_broken_line_denies_everything),
        TEST(what_is_no_readable_file_denies_everything),
        TEST(so_does_an_unreadable_folder),
        TEST(sizes_are_limited),
        TEST(a_verdict_tells_all_interfaces),
        TEST(a_keyboard_that_is_not_active),
        TEST(kinds_are_counted),
        TEST(what_is_no_device_has_no_verdict),
        TEST(all_devices_but_hubs_have_one),
        TEST(a_device_that_cannot_be_read_is_not_judged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
