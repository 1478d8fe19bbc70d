/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Fuzzers without libFuzzer, a fixed number of runs: each file of their corpora
 * in tests/fuzz/corpus as it is and changed.
 */
#include "test.h"

#include <dirent.h>

/* The first one, as it includes Xen's headers the way the tools do. */
#define LLVMFuzzerTestOneInput fuzz_ring
#include "fuzz/fuzz-ring.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_policy
#include "fuzz/fuzz-policy.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_intent
#include "fuzz/fuzz-intent.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_message
#include "fuzz/fuzz-message.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_front
#include "fuzz/fuzz-front.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_guest
#include "fuzz/fuzz-guest.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_sysfs
#include "fuzz/fuzz-sysfs.c"
#undef LLVMFuzzerTestOneInput

#define SEED_MAX 4096u
#define RANDOM_RUNS 2000

typedef int fuzz_fn(const uint8_t *data, size_t size);

struct seed {
    uint8_t bytes[SEED_MAX + 1]; /* and a NUL */
    size_t size;
};

/* The same numbers each time. */
static uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static void feed_flipped(fuzz_fn *fuzz, struct seed *s, size_t at)
{
    static const uint8_t change[] = { 0x01, 0x80, 0xff };
    for (size_t i = 0; i < sizeof(change); i++) {
        s->bytes[at] ^= change[i];
        fuzz(s->bytes, s->size);
        s->bytes[at] ^= change[i];
    }
}

/* A byte less, and one more: what text is made of, or not. */
static void feed_shifted(fuzz_fn *fuzz, const struct seed *s, size_t at)
{
    static const uint8_t more[] = { 0, '\n', '"', '{', '9', '-', '\\', 0xff };
    struct seed other = { .size = s->size - 1 };
    memcpy(other.bytes, s->bytes, at);
    memcpy(other.bytes + at, s->bytes + at + 1, s->size - at - 1);
    fuzz(other.bytes, other.size);
    if (s->size == SEED_MAX)
        return;
    other.size = s->size + 1;
    memcpy(other.bytes + at + 1, s->bytes + at, s->size - at);
    for (size_t i = 0; i < sizeof(more); i++) {
        other.bytes[at] = more[i];
        fuzz(other.bytes, other.size);
    }
}

/* A piece over another one, and some bytes of anything. */
static void feed_mixed(fuzz_fn *fuzz, const struct seed *s, uint32_t *random)
{
    struct seed other = *s;
    uint32_t from = next_random(random) % (uint32_t)s->size;
    uint32_t to = next_random(random) % (uint32_t)s->size;
    uint32_t room = (uint32_t)s->size - (from > to ? from : to);
    memmove(other.bytes + to, s->bytes + from, next_random(random) % room + 1);
    for (uint32_t i = next_random(random) % 4; i; i--)
        other.bytes[next_random(random) % (uint32_t)s->size] =
            (uint8_t)next_random(random);
    fuzz(other.bytes, other.size);
}

static void feed_all(fuzz_fn *fuzz, struct seed *s)
{
    uint32_t random = 1;
    fuzz(s->bytes, s->size);
    for (size_t at = 0; at < s->size; at++) {
        fuzz(s->bytes, at);
        feed_flipped(fuzz, s, at);
        feed_shifted(fuzz, s, at);
    }
    for (int i = 0; i < RANDOM_RUNS; i++)
        feed_mixed(fuzz, s, &random);
}

static void read_seed(const char *folder, const char *name, struct seed *s)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    s->size = fread(s->bytes, 1, SEED_MAX, file);
    assert_true(s->size > 0 && feof(file));
    fclose(file);
}

static void run_corpus(fuzz_fn *fuzz, const char *folder)
{
    int nr = 0;
    struct dirent *e;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    while ((e = readdir(dir))) {
        struct seed s;
        if (e->d_name[0] == '.')
            continue;
        read_seed(folder, e->d_name, &s);
        feed_all(fuzz, &s);
        nr++;
    }
    closedir(dir);
    assert_true(nr > 0);
}

/* Seeds that would be refused at their first byte would show nothing. */
static void seeds_are_understood(void **state)
{
    (void)state;
    struct seed s = { 0 };
    struct xlx__policy_error error;
    static struct xlx__intent intent;
    struct xlx_lazy_status status;
    struct xlx_lazy_change change;
    const char *why;
    bool watch;
    int rc;
    read_seed("tests/fuzz/corpus/policy", "rules", &s);
    xlx__policy_free(read_policy((char *)s.bytes, s.size, &error, &rc));
    assert_int_equal(rc, 0);
    read_seed("tests/fuzz/corpus/intent", "devices", &s);
    s.bytes[s.size] = '\0';
    assert_null(xlx__intent_parse((char *)s.bytes, &intent));
    read_seed("tests/fuzz/corpus/message", "request", &s);
    s.bytes[s.size] = '\0';
    assert_int_equal(xlx__request_parse((char *)s.bytes, &change, &watch, &why),
                     0);
    read_seed("tests/fuzz/corpus/message", "status", &s);
    s.bytes[s.size] = '\0';
    assert_int_equal(xlx__lazy_status_parse((char *)s.bytes, &status), 0);
}

static void any_policy(void **state)
{
    (void)state;
    run_corpus(fuzz_policy, "tests/fuzz/corpus/policy");
}

static void any_assignments(void **state)
{
    (void)state;
    run_corpus(fuzz_intent, "tests/fuzz/corpus/intent");
}

static void any_message_of_the_control_protocol(void **state)
{
    (void)state;
    run_corpus(fuzz_message, "tests/fuzz/corpus/message");
}

static void any_frontend(void **state)
{
    (void)state;
    run_corpus(fuzz_front, "tests/fuzz/corpus/front");
}

static void any_nodes_of_a_guest(void **state)
{
    (void)state;
    run_corpus(fuzz_guest, "tests/fuzz/corpus/guest");
}

static void any_device_in_sysfs(void **state)
{
    (void)state;
    run_corpus(fuzz_sysfs, "tests/fuzz/corpus/sysfs");
}

static void any_ring_of_a_pager(void **state)
{
    (void)state;
    run_corpus(fuzz_ring, "tests/fuzz/corpus/ring");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seeds_are_understood),
        cmocka_unit_test(any_policy),
        cmocka_unit_test(any_assignments),
        cmocka_unit_test(any_message_of_the_control_protocol),
        cmocka_unit_test(any_frontend),
        cmocka_unit_test(any_nodes_of_a_guest),
        cmocka_unit_test(any_device_in_sysfs),
        cmocka_unit_test(any_ring_of_a_pager),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
