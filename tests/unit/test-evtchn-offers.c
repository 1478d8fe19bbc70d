/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What a guest offers in xenstore: understood as a whole, refused as a whole,
 * handed on to Xen, and what it wishes for its ports.
 */
#include "test.h"

#include "cmd.h"
#include "evtchn/offers.h"
#include "evtchn/spread.h"
#include "fakes/evtchn_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define AREA "data/evtchn-vectors/"

static int setup(void **state)
{
    struct evtchn_world *w = evtchn_world_new();
    w->mem->patched = true;
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    evtchn_world_free(*state);
    return 0;
}

static void put(struct evtchn_world *w, const char *node, const char *value)
{
    char path[256];
    snprintf(path, sizeof(path), AREA "%s", node);
    evtchn_world_put(w, path, value);
}

static const char *done(struct evtchn_world *w)
{
    return xs_mem_get(w->xs, "/local/domain/5/" AREA "done");
}

static void offer_some(struct evtchn_world *w)
{
    put(w, "version", "1");
    put(w, "vcpu/0", "0x41-0x42 0x50");
    put(w, "vcpu/2", "0xff");
    put(w, "vcpu/3", "");
}

/* --- values --------------------------------------------------------------- */

static void lists_of_vectors_are_strict(void **state)
{
    static const struct {
        const char *text;
        int nr; /* -1: refused */
    } rows[] = {
        { "", 0 },
        { "0x20", 1 },
        { "0xff", 1 },
        { "0x20-0xff", 224 },
        { "0x41-0x48 0x51", 9 },
        { "0xAb", 1 },
        { "0x41 0x41", 1 },
        { "0x41-0x41", 1 },
        { "0x1f", -1 },
        { "0x00", -1 },
        { "0x", -1 },
        { "0x4", -1 },
        { "0x100", -1 },
        { "0X41", -1 },
        { "41", -1 },
        { "65", -1 },
        { " 0x41", -1 },
        { "0x41 ", -1 },
        { "0x41  0x42", -1 },
        { "0x41,0x42", -1 },
        { "0x42-0x41", -1 },
        { "0x41-", -1 },
        { "-0x41", -1 },
        { "0x41-0x42-0x43", -1 },
        { "0x1f-0x41", -1 },
        { "0x41\n", -1 },
        { "0x41\xff", -1 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t v[4] = { 1, 2, 3, 4 };
        int nr = 0, rc = xlx__offers_parse(rows[i].text, v);
        for (int k = 0; k < 4; k++)
            nr += __builtin_popcountll(v[k]);
        if (rows[i].nr < 0 ? rc != -EINVAL || v[3] != 4
                           : rc || nr != rows[i].nr)
            fail_msg("'%s': %d, %d vectors", rows[i].text, rc, nr);
    }
    char text[XLX__OFFERS_TEXT_MAX + 8];
    uint64_t v[4];
    for (size_t n = 0; n < sizeof(text); n += 5)
        memcpy(text + n, "0x41 ", sizeof(text) - n < 5 ? sizeof(text) - n : 5);
    text[XLX__OFFERS_TEXT_MAX - 3] = '\0'; /* 509: ends with a vector */
    assert_int_equal(strlen(text) % 5, 4);
    assert_int_equal(xlx__offers_parse(text, v), 0);
    text[XLX__OFFERS_TEXT_MAX - 3] = ' ';
    text[XLX__OFFERS_TEXT_MAX + 2] = '\0';
    assert_int_equal(xlx__offers_parse(text, v), -EINVAL);
}

static void wishes_are_strict(void **state)
{
    static const char *const wrong[] = {
        "",
        "1",
        "1 ",
        "0x41",
        "1 0x1f",
        "1  0x41",
        " 1 0x41",
        "1 0x41 ",
        "01 0x41",
        "-1 0x41",
        "65536 0x41",
        "1 65",
        "1 0x41-0x42",
        "99999999999999999999 0x41",
    };
    uint32_t vcpu = 7;
    uint8_t vector = 7;
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(xlx__wish_parse(wrong[i], &vcpu, &vector), -EINVAL);
    assert_int_equal(xlx__wish_parse("0 0xfe", &vcpu, &vector), 0);
    assert_int_equal(vcpu, 0);
    assert_int_equal(vector, 0xfe);
}

/* --- a whole -------------------------------------------------------------- */

static void offers_are_shown_and_handed_on(void **state)
{
    struct evtchn_world *w = *state;
    offer_some(w);
    put(w, "serial", "3");
    assert_int_equal(evtchn_world_call(w, "evtchn-list guest"), CMD_OK);
    assert_non_null(strstr(w->out, "vCPU 0 offers 0x41-0x42 0x50\n"
                                   "vCPU 2 offers 0xff\nnote"));
    assert_int_equal(w->guest->offers[2][3], 0); /* looking hands on nothing */
    assert_null(done(w));
    assert_int_equal(
        evtchn_world_call(w, "evtchn-spread guest --sample=0 --dry-run"),
        CMD_OK);
    assert_int_equal(w->guest->offers[2][3], 0);
    assert_int_equal(evtchn_world_call(w, "evtchn-bind guest 10 2"), CMD_OK);
    assert_int_equal(w->guest->port[10].vector, 0xff);
    assert_true(xlx__vectors_has(w->guest->offers[0], 0x50));
    assert_string_equal(done(w), "3");
}

static void what_is_withdrawn_is_taken_away(void **state)
{
    struct evtchn_world *w = *state;
    offer_some(w);
    assert_int_equal(evtchn_world_call(w, "evtchn-bind guest 10 2"), CMD_OK);
    put(w, "vcpu/2", NULL);
    put(w, "serial", "8");
    assert_int_equal(evtchn_world_call(w, "evtchn-bind guest 11 2"),
                     CMD_FAILED);
    assert_non_null(strstr(w->err, "offers no vector on vCPU 2"));
    assert_int_equal(w->guest->port[10].vector, 0);
    assert_string_equal(done(w), "8"); /* it may use it for something else */
    /* the driver goes, with all it wrote */
    assert_int_equal(evtchn_world_call(w, "evtchn-bind guest 11 0"), CMD_OK);
    evtchn_world_put(w, "data/evtchn-vectors", NULL);
    assert_int_equal(evtchn_world_call(w, "evtchn-spread guest --sample=0"),
                     CMD_FAILED);
    assert_non_null(strstr(w->err, "offers no vectors"));
    assert_int_equal(w->guest->port[11].vector, 0);
    assert_int_equal(xlx__vectors_first(w->guest->offers[0]), 0);
    assert_null(xs_mem_get(w->xs, "/libxl/5/evtchn-vectors"));
}

static void without_any_the_hypercall_counts(void **state)
{
    struct evtchn_world *w = *state;
    evtchn_mem_offer(w->guest, 1, 0x60, 2);
    assert_int_equal(evtchn_world_call(w, "evtchn-bind guest 10 1"), CMD_OK);
    assert_int_equal(w->guest->port[10].vector, 0x60);
    assert_null(xs_mem_get(w->xs, "/libxl/5/evtchn-vectors"));
}

/* Each is refused with its name, and Xen, ports and the guest's other offers
 * stay as they were. */
static void lies_are_refused_and_change_nothing(void **state)
{
    static const struct {
        const char *node, *value, *says;
    } rows[] = {
        { "version", "2", "/version: is not 1" },
        { "version", "", "/version: is not 1" },
        { "version", "01x", "/version: is not 1" },
        { "serial", "0", "/serial: is not a number" },
        { "serial", "-5", "/serial: is not a number" },
        { "vcpu/4", "0x41", "/vcpu/4: no such vCPU" },
        { "vcpu/00", "0x41", "/vcpu/00: no such vCPU" },
        { "vcpu/-1", "0x41", "/vcpu/-1: no such vCPU" },
        { "vcpu/x\x1b", "0x41", "/vcpu/x?: no such vCPU" },
        { "vcpu/99999999999", "0x41", "no such vCPU" },
        { "vcpu/0", "0x1f", "/vcpu/0: not a list of vectors" },
        { "vcpu/0", "junk", "/vcpu/0: not a list of vectors" },
        { "port/10", "0 0x41 0x42", "/port/10: not a vCPU and a vector" },
        { "port/10", "0 0x43",
          "requests a vector that the guest does not offer" },
        { "port/10", "1 0x41",
          "requests a vector that the guest does not offer" },
        { "port/10", "77 0x41",
          "requests a vector that the guest does not offer" },
        { "port/12", "2 0xff", "requests another port's vector" },
        { "port/0", "0 0x41", "/port/0: no port" },
        { "port/131072", "0 0x41", "no port" },
        { "port/010", "0 0x41", "no port" },
    };
    static const char *const lines[] = {
        "evtchn-bind guest 10 0",
        "evtchn-spread guest --sample=0",
        "evtchn-spread guest --sample=0 --dry-run",
    };
    struct evtchn_world *w = *state;
    offer_some(w);
    put(w, "port/11", "2 0xff");
    assert_int_equal(evtchn_world_call(w, lines[1]), CMD_OK);
    char *before = evtchn_mem_dump(w->guest);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        put(w, rows[i].node, rows[i].value);
        for (size_t k = 0; k < 3; k++) {
            int status = evtchn_world_call(w, lines[k]);
            if (status != CMD_FAILED || !strstr(w->err, rows[i].says) ||
                !strstr(w->err, "domain 5: xenstore: data/evtchn-vectors/"))
                fail_msg("%s = %s: %d: %s", rows[i].node, rows[i].value, status,
                         w->err);
            assert_ptr_equal(strchr(w->err, '\n'), w->err + strlen(w->err) - 1);
            char *after = evtchn_mem_dump(w->guest);
            assert_string_equal(before, after);
            free(after);
        }
        /* its channels are listed all the same */
        assert_int_equal(evtchn_world_call(w, "evtchn-list guest"), CMD_FAILED);
        assert_non_null(strstr(w->err, rows[i].says));
        assert_non_null(strstr(w->out, " 2  0xfft "));
        evtchn_world_put(w, "data/evtchn-vectors", NULL);
        offer_some(w);
        put(w, "port/11", "2 0xff");
    }
    free(before);
}

static void the_guest_is_told_of_a_refusal(void **state)
{
    struct evtchn_world *w = *state;
    offer_some(w);
    put(w, "serial", "9");
    put(w, "vcpu/1", "nonsense");
    assert_int_equal(evtchn_world_call(w, "evtchn-bind guest 10 0"),
                     CMD_FAILED);
    assert_memory_equal(done(w), "9 domain 5: xenstore: ", 22);
    put(w, "vcpu/1", "0x41");
    put(w, "serial", "10");
    assert_int_equal(evtchn_world_call(w, "evtchn-bind guest 10 0"), CMD_OK);
    assert_string_equal(done(w), "10");
}

/* Whatever fails while the guest is told. */
static void a_refusal_is_what_the_caller_hears_of(void **state)
{
    struct evtchn_world *w = *state;
    uint8_t vector = 0;
    int refused = 0, n = 0;
    offer_some(w);
    put(w, "serial", "9");
    put(w, "vcpu/1", "nonsense");
    do {
        w->nth = (struct nth){ .fail_at = ++n };
        if (xlx_evtchn_bind(w->ctx, 5, 10, 0, 0, &vector) != -EBADMSG)
            continue;
        refused++;
        assert_non_null(
            strstr(xlx_ctx_error(w->ctx), "data/evtchn-vectors/vcpu/1"));
    } while (w->nth.calls >= n);
    assert_true(refused > 1);
}

static void there_may_be_only_so_many(void **state)
{
    struct evtchn_world *w = *state;
    char node[32];
    offer_some(w);
    for (uint32_t i = 1; i <= XLX__OFFERS_WISHES_MAX + 1; i++) {
        snprintf(node, sizeof(node), "port/%u", i);
        put(w, node, "0 0x41");
    }
    assert_int_equal(evtchn_world_call(w, "evtchn-bind guest 10 0"),
                     CMD_FAILED);
    assert_non_null(strstr(w->err, "more than 1024 ports"));
    put(w, "port", NULL);
    for (uint32_t i = 0; i < 5; i++) {
        snprintf(node, sizeof(node), "vcpu/%u", i);
        put(w, node, "0x41");
    }
    assert_int_equal(evtchn_world_call(w, "evtchn-bind guest 10 0"),
                     CMD_FAILED);
    assert_non_null(strstr(w->err, "more vCPUs than the guest has"));
}

/* --- wishes --------------------------------------------------------------- */

static void wishes_come_first(void **state)
{
    struct evtchn_world *w = *state;
    offer_some(w);
    put(w, "port/13", "2 0xff");
    put(w, "port/14", "0 0x50");
    put(w, "port/44", "0 0x41"); /* is not open yet */
    assert_int_equal(
        evtchn_world_call(w, "evtchn-spread guest --hot=3 --sample=0"), CMD_OK);
    assert_int_equal(w->guest->port[13].vector, 0xff);
    assert_int_equal(w->guest->port[13].vcpu, 2);
    assert_int_equal(w->guest->port[14].vector, 0x50);
    assert_non_null(strstr(w->out, "3 with vectors"));
    uint32_t bound = 0;
    for (uint32_t port = 10; port < 20; port++)
        bound += w->guest->port[port].vector != 0;
    assert_int_equal(bound, 3);
    assert_int_equal(
        evtchn_world_call(w, "evtchn-spread guest --hot=2 --sample=0"), CMD_OK);
    assert_non_null(strstr(w->out, "domain 5: 1 changed, 2 with vectors"));
    assert_int_equal(w->guest->port[13].vector, 0xff);
}

/* A call that fails while offers are handed on leaves no binding behind. */
static void a_failing_call_binds_nothing(void **state)
{
    struct evtchn_world *w = *state;
    int n = 1;
    for (;; n++) {
        evtchn_world_put(w, "data/evtchn-vectors", NULL);
        offer_some(w);
        put(w, "serial", "1");
        put(w, "port/13", "2 0xff");
        w->nth = (struct nth){ .fail_at = n };
        int status =
            evtchn_world_call(w, "evtchn-spread guest --sample=0 --hot=2");
        if (w->nth.calls < n)
            break;
        if (status != CMD_FAILED)
            fail_msg("call %d: %s", n, w->out);
        assert_int_equal(w->guest->port[13].vector, 0);
        assert_true(*w->err);
    }
    assert_in_range(n, 30, 1000);
    assert_int_equal(w->guest->port[13].vector, 0xff);
}

/* --- any tree ------------------------------------------------------------- */

/* Good trees with bytes changed, cut and doubled. */
static void any_tree_is_refused_or_sound(void **state)
{
    static const char good[] = "version=1\nserial=7\nvcpu/0=0x41-0x48 0x51\n"
                               "vcpu/1=0x60\nport/10=0 0x41\nport/11=1 0x60\n";
    static const char bytes[] = "0123456789abcdefx -=/\n\xff";
    uint32_t seed = 1;
    (void)state;
    assert_int_equal(
        LLVMFuzzerTestOneInput((const uint8_t *)good, sizeof(good) - 1), 0);
    for (int round = 0; round < 3000; round++) {
        char text[sizeof(good)];
        size_t size = sizeof(good) - 1;
        memcpy(text, good, sizeof(good));
        for (int i = 0; i < 1 + round % 4; i++) {
            seed = seed * 1664525 + 1013904223;
            text[(seed >> 8) % size] =
                bytes[(seed >> 20) % (sizeof(bytes) - 1)];
        }
        if (round % 5 == 0)
            size = (seed >> 8) % size;
        LLVMFuzzerTestOneInput((const uint8_t *)text, size);
    }
    LLVMFuzzerTestOneInput((const uint8_t *)"3 0 1", 5);
    LLVMFuzzerTestOneInput((const uint8_t *)"0 4", 3);
}

#include "fuzz/fuzz-offers.c"

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        cmocka_unit_test(lists_of_vectors_are_strict),
        cmocka_unit_test(wishes_are_strict),
        TEST(offers_are_shown_and_handed_on),
        TEST(what_is_withdrawn_is_taken_away),
        TEST(without_any_the_hypercall_counts),
        TEST(lies_are_refused_and_change_nothing),
        TEST(the_guest_is_told_of_a_refusal),
        TEST(a_refusal_is_what_the_caller_hears_of),
        TEST(there_may_be_only_so_many),
        TEST(wishes_come_first),
        TEST(a_failing_call_binds_nothing),
        cmocka_unit_test(any_tree_is_refused_or_sound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
