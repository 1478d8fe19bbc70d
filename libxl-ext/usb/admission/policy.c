/* SPDX-License-Identifier: LGPL-2.1-only */
#include "usb/admission/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/array.h"
#include "core/parse.h"
#include "core/printable.h"

#define QUOTE_MAX 32 /* bytes of a broken line that a message shows */

static const struct {
    const char *name;
    int digits; /* exactly, as XAPI wants them */
} keys[XLX__POLICY_KEYS] = {
    [XLX__POLICY_VID] = { "vid", 4 },
    [XLX__POLICY_PID] = { "pid", 4 },
    [XLX__POLICY_REL] = { "rel", 4 },
    [XLX__POLICY_CLASS] = { "class", 2 },
    [XLX__POLICY_SUBCLASS] = { "subclass", 2 },
    [XLX__POLICY_PROT] = { "prot", 2 },
};

/* --- parsing -------------------------------------------------------------- */

/* A part of the text; never NUL-terminated. */
struct span {
    const char *p, *end;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The same in every locale. */
static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static void skip_blanks(struct span *s)
{
    while (s->p < s->end && is_blank(*s->p))
        s->p++;
}

static struct span trim(struct span s)
{
    skip_blanks(&s);
    while (s.end > s.p && is_blank(s.end[-1]))
        s.end--;
    return s;
}

static bool is_word(struct span s, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(s.end - s.p) != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (lower(s.p[i]) != word[i])
            return false;
    return true;
}

/* What stands at the front, up to a blank or `stop`. */
static struct span take_word(struct span *s, char stop)
{
    struct span word = { s->p, s->p };
    while (word.end < s->end && !is_blank(*word.end) && *word.end != stop)
        word.end++;
    s->p = word.end;
    return word;
}

/* "QUOTE: why", the quote cut and printable. */
static int broken(struct xlx__policy_error *error, struct span quote,
                  const char *why)
{
    char shown[QUOTE_MAX + 1];
    size_t n = 0;
    for (; quote.p < quote.end && n < QUOTE_MAX; n++, quote.p++)
        shown[n] = *quote.p >= ' ' && *quote.p < 0x7f ? *quote.p : '?';
    shown[n] = '\0';
    snprintf(error->text, sizeof(error->text), "%s%s%s%s", shown,
             quote.p < quote.end ? "..." : "", n ? ": " : "", why);
    return -EBADMSG;
}

static int parse_value(struct span word, int key, uint16_t *value_r)
{
    uint32_t value;
    if (word.end - word.p != keys[key].digits ||
        xlx__parse_hex(word.p, (size_t)(word.end - word.p), &value))
        return -EINVAL;
    *value_r = (uint16_t)value;
    return 0;
}

/* "key=value", blanks allowed around the '='. */
static int parse_pair(struct span *rest, struct xlx__policy_rule *rule,
                      struct xlx__policy_error *error)
{
    struct span word = take_word(rest, '=');
    int key = 0;
    while (key < XLX__POLICY_KEYS && !is_word(word, keys[key].name))
        key++;
    if (key == XLX__POLICY_KEYS)
        return broken(error, word,
                      "no such key: vid, pid, rel, class, subclass, prot");
    skip_blanks(rest);
    if (rest->p == rest->end || *rest->p != '=')
        return broken(error, word, "has no value");
    rest->p++;
    if (rule->keys & 1u << key)
        return broken(error, word, "stands twice");
    skip_blanks(rest);
    struct span value = take_word(rest, '\0');
    if (parse_value(value, key, &rule->value[key]))
        return broken(error, value,
                      keys[key].digits == 4 ? "not 4 hexadecimal digits"
                                            : "not 2 hexadecimal digits");
    rule->keys |= 1u << key;
    skip_blanks(rest);
    return 0;
}

/* 1: a rule; 0: nothing but blanks and comment; -EBADMSG. */
static int parse_line(struct span line, struct xlx__policy_rule *rule,
                      struct xlx__policy_error *error)
{
    const char *hash = memchr(line.p, '#', (size_t)(line.end - line.p));
    if (hash)
        line.end = hash;
    line = trim(line);
    if (line.p == line.end)
        return 0;
    struct span action = take_word(&line, ':');
    skip_blanks(&line);
    rule->allow = is_word(action, "allow");
    if ((!rule->allow && !is_word(action, "deny")) || line.p == line.end ||
        *line.p != ':')
        return broken(error, action, "a rule begins with ALLOW: or DENY:");
    line.p++;
    skip_blanks(&line);
    int rc = 0;
    while (!rc && line.p < line.end)
        rc = parse_pair(&line, rule, error);
    return rc ? rc : 1;
}

/* The bytes that would end a line for some readers and not for others. */
static int check_bytes(struct span line, struct xlx__policy_error *error)
{
    size_t n = (size_t)(line.end - line.p);
    struct span none = { line.p, line.p };
    if (memchr(line.p, '\0', n))
        return broken(error, none, "a NUL byte");
    if (memchr(line.p, '\r', n))
        return broken(error, none, "a carriage return inside the line");
    return 0;
}

static int add_rule(struct xlx__policy *policy,
                    const struct xlx__policy_rule *rule)
{
    size_t nr = policy->nr;
    if (nr == XLX__POLICY_RULES_MAX)
        return -E2BIG;
    struct xlx__policy_rule *more =
        xlx__array_more(policy->rule, nr, sizeof(*more));
    if (!more)
        return -ENOMEM;
    policy->rule = more;
    policy->rule[policy->nr++] = *rule;
    return 0;
}

static int add_file(struct xlx__policy *policy, const char *file)
{
    int rc = xlx__names_add(&policy->files, file);
    if (rc)
        return rc;
    char *name = policy->files.v[policy->files.nr - 1];
    xlx__printable(name, strlen(name) + 1, name);
    return 0;
}

/* Takes a line off the text, without its line end: "\n", or "\r\n". */
static struct span take_line(struct span *text)
{
    struct span line = *text;
    const char *newline = memchr(line.p, '\n', (size_t)(line.end - line.p));
    text->p = newline ? newline + 1 : text->end;
    if (newline)
        line.end = newline;
    if (line.end > line.p && line.end[-1] == '\r')
        line.end--;
    return line;
}

int xlx__policy_parse(struct xlx__policy *policy, const char *file,
                      const char *text, size_t len,
                      struct xlx__policy_error *error_r)
{
    struct span rest = { text, text + len };
    int rc = add_file(policy, file);
    *error_r = (struct xlx__policy_error){ 0 };
    while (!rc && rest.p < rest.end) {
        struct span line = take_line(&rest);
        struct xlx__policy_rule rule = { .line = ++error_r->line,
                                         .file = policy->files.nr - 1 };
        rc = check_bytes(line, error_r);
        if (!rc)
            rc = parse_line(line, &rule, error_r);
        if (rc > 0)
            rc = add_rule(policy, &rule);
    }
    return rc;
}

void xlx__policy_free(struct xlx__policy *policy)
{
    if (!policy)
        return;
    xlx__names_free(&policy->files);
    free(policy->rule);
    free(policy);
}

/* --- evaluating ----------------------------------------------------------- */

/* What a device says of itself before it is configured. */
#define DEVICE_KEYS \
    (1u << XLX__POLICY_VID | 1u << XLX__POLICY_PID | 1u << XLX__POLICY_REL)
#define ALL_KEYS ((1u << XLX__POLICY_KEYS) - 1)

/* Whether the rule decides about an interface, of which only what is in `known`
 * keys can be told. The others may be what is denied, and need not be what is
 * allowed. */
static bool decides(const struct xlx__policy_rule *rule, unsigned known,
                    const uint16_t is[XLX__POLICY_KEYS])
{
    for (unsigned k = 0; k < XLX__POLICY_KEYS; k++)
        if (rule->keys & known & 1u << k && rule->value[k] != is[k])
            return false;
    return !rule->allow || !(rule->keys & ~known);
}

const struct xlx__policy_rule *
xlx__policy_match(const struct xlx__policy *policy,
                  const struct xlx__usbdev *dev, unsigned i)
{
    const struct xlx__usbintf intf = xlx__policy_intf(dev, i);
    const unsigned known = dev->nr_intfs ? ALL_KEYS : DEVICE_KEYS;
    const uint16_t is[XLX__POLICY_KEYS] = {
        [XLX__POLICY_VID] = dev->vendor,
        [XLX__POLICY_PID] = dev->product,
        [XLX__POLICY_REL] = dev->release,
        [XLX__POLICY_CLASS] = intf.class,
        [XLX__POLICY_SUBCLASS] = intf.subclass,
        [XLX__POLICY_PROT] = intf.protocol,
    };
    for (size_t r = 0; r < policy->nr; r++)
        if (decides(&policy->rule[r], known, is))
            return &policy->rule[r];
    return NULL;
}

bool xlx__policy_allows(const struct xlx__policy *policy,
                        const struct xlx__policy_rule *rule)
{
    return rule ? rule->allow : !policy->files.nr;
}

static bool same_codes(const struct xlx__usbintf *a,
                       const struct xlx__usbintf *b)
{
    return a->class == b->class && a->subclass == b->subclass &&
           a->protocol == b->protocol;
}

/* What the device is in another configuration or setting, and neither now nor
 * as one of the kinds before it. */
static bool is_further(const struct xlx__usbdev *dev, unsigned k)
{
    for (unsigned i = 0; i < dev->nr_intfs; i++)
        if (same_codes(&dev->intf[i], &dev->kind[k]))
            return false;
    for (unsigned i = 0; i < k; i++)
        if (same_codes(&dev->kind[i], &dev->kind[k]))
            return false;
    return true;
}

unsigned xlx__policy_nr_intfs(const struct xlx__usbdev *dev)
{
    unsigned nr = dev->nr_intfs;
    for (unsigned k = 0; dev->nr_intfs && k < dev->nr_kinds; k++)
        nr += is_further(dev, k);
    return nr ? nr : 1;
}

bool xlx__policy_more_intfs(const struct xlx__usbdev *dev)
{
    return dev->more_intfs || (dev->nr_intfs && dev->more_kinds);
}

struct xlx__usbintf xlx__policy_intf(const struct xlx__usbdev *dev, unsigned i)
{
    unsigned further = dev->nr_intfs;
    if (i < dev->nr_intfs)
        return dev->intf[i];
    for (unsigned k = 0; dev->nr_intfs && k < dev->nr_kinds; k++)
        if (is_further(dev, k) && further++ == i)
            return dev->kind[k];
    return (struct xlx__usbintf){ .class = dev->class,
                                  .subclass = dev->subclass,
                                  .protocol = dev->protocol };
}

/* "...": the end of a long path says more than its beginning. */
static void shorten(const char *path, char to[XLX_USB_POLICY_FILE_MAX])
{
    size_t n = strlen(path), max = XLX_USB_POLICY_FILE_MAX - 1;
    snprintf(to, XLX_USB_POLICY_FILE_MAX, "%s%s", n > max ? "..." : "",
             n > max ? path + n - (max - 3) : path);
}

void xlx__policy_describe(const struct xlx__policy *policy,
                          const struct xlx__policy_rule *rule,
                          struct xlx_usb_policy_rule *rule_r)
{
    *rule_r = (struct xlx_usb_policy_rule){ .allow = xlx__policy_allows(policy,
                                                                        rule) };
    if (!rule)
        return;
    size_t size = sizeof(rule_r->text);
    int n = snprintf(rule_r->text, size, rule->allow ? "ALLOW:" : "DENY:");
    for (int k = 0; k < XLX__POLICY_KEYS; k++)
        if (rule->keys & 1u << k)
            n += snprintf(rule_r->text + n, size - (size_t)n, " %s=%0*x",
                          keys[k].name, keys[k].digits, rule->value[k]);
    rule_r->line = rule->line;
    shorten(policy->files.v[rule->file], rule_r->file);
}

static void decide(const struct xlx__policy *policy,
                   const struct xlx__policy_rule *rule,
                   const struct xlx__usbdev *dev,
                   const struct xlx__usbintf *intf,
                   struct xlx__policy_verdict *verdict)
{
    struct xlx_usb_policy_rule told;
    /* Two NULs pay for one and a ':', ten digits and ": " for the rest. */
    _Static_assert(sizeof(told.file) + sizeof(told.text) + 12 <=
                       sizeof(verdict->rule),
                   "room for FILE:LINE: RULE");
    verdict->allowed = xlx__policy_allows(policy, rule);
    verdict->intf = dev->nr_intfs && policy->files.nr ? intf->number : -1;
    verdict->rule[0] = '\0';
    if (!rule)
        return;
    xlx__policy_describe(policy, rule, &told);
    snprintf(verdict->rule, sizeof(verdict->rule), "%s:%u: %s", told.file,
             told.line, told.text);
}

void xlx__policy_check(const struct xlx__policy *policy,
                       const struct xlx__usbdev *dev,
                       struct xlx__policy_verdict *verdict_r)
{
    for (unsigned i = 0; i < xlx__policy_nr_intfs(dev); i++) {
        struct xlx__usbintf intf = xlx__policy_intf(dev, i);
        const struct xlx__policy_rule *rule = xlx__policy_match(policy, dev, i);
        bool allowed = xlx__policy_allows(policy, rule);
        if (!i || !allowed)
            decide(policy, rule, dev, &intf, verdict_r);
        if (!allowed)
            return;
    }
    if (xlx__policy_more_intfs(dev) && policy->files.nr)
        *verdict_r = (struct xlx__policy_verdict){ .intf = -1 };
}
