/* SPDX-License-Identifier: LGPL-2.1-only */
#include "evtchn/policy.h"

#include <stdio.h>
#include <string.h>

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"
#define ENTRY_MAX 31 /* its longest */

/* "vif", "9pfs", "vif/0", "xvda". */
static bool is_entry(const char *text, size_t len)
{
    size_t kind = strspn(text, LOWER DIGITS);
    if (!len || len > ENTRY_MAX || kind > len)
        return false;
    if (kind == len)
        return true;
    return kind && text[kind] == '/' && kind + 1 < len &&
           kind + 1 + strspn(text + kind + 1, DIGITS) == len;
}

/* A disk's kind is "blk" to Linux, "vbd" to xenstore. */
static bool is_blk(const char *text, size_t len)
{
    return len >= 3 && !strncmp(text, "blk", 3) && (len == 3 || text[3] == '/');
}

static bool has_entry(const char *choice, const char *entry, size_t len)
{
    for (const char *p = choice; *p; p += strcspn(p, ","), p += *p == ',')
        if (strcspn(p, ",") == len && !strncmp(p, entry, len))
            return true;
    return false;
}

const char *xlx__evtchn_choice_read(const char *text,
                                    char choice_r[XLX_EVTCHN_CHOICE_MAX])
{
    size_t n = 0;
    choice_r[0] = '\0';
    while (*text) {
        char entry[ENTRY_MAX + 1];
        size_t len = strcspn(text, ",");
        if (!is_entry(text, len))
            return "an entry is neither a kind (vif) nor a device (vif/0, "
                   "xvda)";
        snprintf(entry, sizeof(entry), "%s%.*s", is_blk(text, len) ? "vbd" : "",
                 (int)(is_blk(text, len) ? len - 3 : len),
                 text + (is_blk(text, len) ? 3 : 0));
        if (has_entry(choice_r, entry, len))
            return "it names one twice";
        if (n + len + 2 > XLX_EVTCHN_CHOICE_MAX)
            return "it is too long";
        n += (size_t)sprintf(choice_r + n, "%s%s", n ? "," : "", entry);
        text += len;
        if (*text == ',' && !text[1])
            return "it ends with a comma";
        text += *text == ',';
    }
    return NULL;
}

void xlx__evtchn_policy_text(const struct xlx_evtchn_policy *policy,
                             char text_r[XLX__EVTCHN_POLICY_FILE_MAX])
{
    snprintf(text_r, XLX__EVTCHN_POLICY_FILE_MAX, "vectors=%s\nname=%s\n",
             policy->vectors, policy->name);
}

static const char *parse_line(const char *line, size_t len, bool *seen,
                              struct xlx_evtchn_policy *policy)
{
    char value[XLX__EVTCHN_POLICY_FILE_MAX];
    if (len >= 8 && !strncmp(line, "vectors=", 8)) {
        snprintf(value, sizeof(value), "%.*s", (int)(len - 8), line + 8);
        *seen = true;
        return xlx__evtchn_choice_read(value, policy->vectors);
    }
    if (len >= 5 && !strncmp(line, "name=", 5)) {
        if (len - 5 >= sizeof(policy->name))
            return "its name is too long";
        snprintf(policy->name, sizeof(policy->name), "%.*s", (int)(len - 5),
                 line + 5);
    }
    return NULL;
}

const char *xlx__evtchn_policy_parse(const char *text,
                                     struct xlx_evtchn_policy *policy_r)
{
    bool seen = false;
    *policy_r = (struct xlx_evtchn_policy){ 0 };
    while (*text) {
        size_t len = strcspn(text, "\n");
        const char *why = parse_line(text, len, &seen, policy_r);
        if (why)
            return why;
        text += len;
        text += *text == '\n';
    }
    return seen ? NULL : "it has no vectors=";
}
