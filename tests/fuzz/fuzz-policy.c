/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Any bytes as the file of the USB policy: they are refused with a line and a
 * text, or each rule, shown to people, reads as the same rule. libFuzzer's
 * entry; tests/unit/test-fuzz.c runs it without libFuzzer.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "fuzz/must.h"
#include "usb/admission/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct xlx__policy *read_policy(const char *text, size_t size,
                                       struct xlx__policy_error *error, int *rc)
{
    struct xlx__policy *policy = calloc(1, sizeof(*policy));
    MUST(policy);
    *rc = xlx__policy_parse(policy, "policy", text, size, error);
    return policy;
}

static bool is_printable(const char *text)
{
    for (; *text; text++)
        if (*text < ' ' || *text > '~')
            return false;
    return true;
}

static void check_rule(const struct xlx__policy *policy,
                       const struct xlx__policy_rule *rule)
{
    struct xlx_usb_policy_rule shown;
    struct xlx__policy_error error;
    int rc;
    xlx__policy_describe(policy, rule, &shown);
    MUST(is_printable(shown.text) && shown.line == rule->line);
    struct xlx__policy *again =
        read_policy(shown.text, strlen(shown.text), &error, &rc);
    MUST(!rc && again->nr == 1);
    MUST(again->rule[0].allow == rule->allow);
    MUST(again->rule[0].keys == rule->keys);
    for (unsigned k = 0; k < XLX__POLICY_KEYS; k++)
        MUST(!(rule->keys & 1u << k) ||
             again->rule[0].value[k] == rule->value[k]);
    xlx__policy_free(again);
}

static void check_policy(const struct xlx__policy *policy)
{
    MUST(policy->nr <= XLX__POLICY_RULES_MAX && policy->files.nr == 1);
    for (size_t i = 0; i < policy->nr; i++) {
        MUST(policy->rule[i].line > (i ? policy->rule[i - 1].line : 0));
        check_rule(policy, &policy->rule[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct xlx__policy_error error = { 0 };
    int rc;
    /* As long as is said, so that ASan sees a byte more. */
    char *text = malloc(size ? size : 1);
    MUST(text);
    if (size)
        memcpy(text, data, size);
    struct xlx__policy *policy = read_policy(text, size, &error, &rc);
    if (rc) {
        MUST(rc == -EBADMSG || rc == -E2BIG);
        MUST(error.line && is_printable(error.text));
        MUST(rc == -E2BIG || *error.text);
    } else {
        check_policy(policy);
    }
    xlx__policy_free(policy);
    free(text);
    return 0;
}
