/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * usb-policy: what the policy says, and of which device, as text and as JSON.
 * Ids and classes are shown as a rule would have them.
 */
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "columns.h"
#include "json.h"
#include "libxl_ext_usb.h"

enum { OPT_JSON };

const struct cmd_option cmd_usb_policy_options[] = {
    { "json", 'j', CMD_NO_ARG, NULL,
      "print JSON (docs/usb.md has the schema)" },
    { 0 }
};

const char cmd_usb_policy_details[] =
    "/etc/xen/usb-policy.conf, and then /etc/xen/usb-policy.conf.d/*.conf,\n"
    "define which devices of this host a guest may get. The first rule that\n"
    "matches decides; each interface of a device has to be allowed, in any\n"
    "configuration and setting. What no rule matches is denied. Without any\n"
    "of these files everything is allowed. If a line is malformed, every\n"
    "device is denied. A device that is not configured shows no interfaces\n"
    "yet, and is denied by any rule that denies a class.\n"
    "\n"
    "check DEVICE prints whether the device is allowed, and which rule\n"
    "decided about each of its interfaces: the column KEYS has what a rule\n"
    "for it would have. DEVICE is named as for usb-attach.\n"
    "The exit status is 0 if it is allowed, and 1 if it is not. check without\n"
    "a device prints a line for each device except hubs. list prints the\n"
    "rules in the order in which they are tried.\n"
    "\n"
    "A policy:\n"
    "  ALLOW: vid=1050 pid=0407     # this token\n"
    "  DENY: class=03               # no keyboards, no mice\n"
    "  ALLOW:                       # everything else\n"
    "\n"
    "Examples:\n"
    "  xl-ext usb-policy check\n"
    "  xl-ext usb-policy check 1-2\n"
    "  xl-ext usb-policy check 1050:0407\n"
    "  xl-ext usb-policy list --json\n";

static const char *word(bool allowed)
{
    return allowed ? "allowed" : "denied";
}

/* --- text ----------------------------------------------------------------- */

enum { DEVICE, KEYS, VERDICT, RULE, PLACE };
static const struct column check_heads[] = {
    { "DEVICE", false }, { "KEYS", false },  { "VERDICT", false },
    { "RULE", false },   { "PLACE", false }, { NULL, false },
};

enum { LISTED_RULE, LISTED_PLACE };
static const struct column rule_heads[] = {
    { "RULE", false },
    { "PLACE", false },
    { NULL, false },
};

static bool print_table(struct cmd_env *env, struct columns *t)
{
    bool printed = columns_print(t, env->out, env->err, 0);
    columns_free(t);
    return printed;
}

static void put_reason(struct columns *t,
                       const struct xlx_usb_policy_rule *rule)
{
    columns_put(t, VERDICT, "%s", word(rule->allow));
    if (!rule->line) {
        columns_put(t, RULE, "(%s)",
                    rule->allow ? "there is no policy" : "no rule matches");
        return;
    }
    columns_put(t, RULE, "%s", rule->text);
    columns_put(t, PLACE, "%s:%u", rule->file, rule->line);
}

static void put_verdict_row(struct columns *t,
                            const struct xlx_usb_policy_verdict *v)
{
    const struct xlx_usb_policy_rule *rule = &v->intf[v->decided].rule;
    columns_row(t);
    columns_put(t, DEVICE, "%s", v->busid);
    columns_put(t, KEYS, "vid=%04x pid=%04x rel=%04x", v->vendor, v->product,
                v->release);
    if (!rule->allow || v->allowed) {
        put_reason(t, rule);
        return;
    }
    columns_put(t, VERDICT, "denied");
    columns_put(t, RULE, "(it has more interfaces than are examined)");
}

static void put_intf_row(struct columns *t,
                         const struct xlx_usb_policy_intf *intf)
{
    columns_row(t);
    if (intf->number < 0) {
        columns_put(t, DEVICE, "  not configured");
        columns_put(t, KEYS, "(it may be anything)");
    } else {
        columns_put(t, DEVICE, "  interface %d%s", intf->number,
                    intf->inactive ? ", not active" : "");
        columns_put(t, KEYS, "class=%02x subclass=%02x prot=%02x",
                    intf->class_code, intf->subclass, intf->protocol);
    }
    put_reason(t, &intf->rule);
}

static bool print_one(struct cmd_env *env,
                      const struct xlx_usb_policy_verdict *v)
{
    struct columns *t = columns_new(check_heads);
    put_verdict_row(t, v);
    for (uint32_t i = 0; i < v->nr_intfs; i++)
        put_intf_row(t, &v->intf[i]);
    return print_table(env, t);
}

static bool print_all(struct cmd_env *env,
                      const struct xlx_usb_policy_verdict *list, int nr)
{
    struct columns *t = columns_new(check_heads);
    for (int i = 0; i < nr; i++)
        put_verdict_row(t, &list[i]);
    return print_table(env, t);
}

static bool print_rules(struct cmd_env *env,
                        const struct xlx_usb_policy_rule *list, int nr)
{
    struct columns *t = columns_new(rule_heads);
    for (int i = 0; i < nr; i++) {
        columns_row(t);
        if (list[i].line) {
            columns_put(t, LISTED_RULE, "%s", list[i].text);
            columns_put(t, LISTED_PLACE, "%s:%u", list[i].file, list[i].line);
        } else {
            columns_put(t, LISTED_RULE, "%s",
                        list[i].allow
                            ? "(there is no policy: everything is allowed)"
                            : "(what no rule matches is denied)");
        }
    }
    return print_table(env, t);
}

/* --- JSON ----------------------------------------------------------------- */

static void put_code(yajl_gen g, const char *key, uint8_t value)
{
    char text[4];
    snprintf(text, sizeof(text), "%02x", value);
    json_text(g, key, text);
}

/* Without a rule only whether it is allowed. */
static void put_rule(yajl_gen g, const struct xlx_usb_policy_rule *rule)
{
    json_bool(g, "allowed", rule->allow);
    if (!rule->line)
        return;
    json_text(g, "file", rule->file);
    json_number(g, "line", rule->line);
    json_text(g, "rule", rule->text);
}

static void put_intf(yajl_gen g, const struct xlx_usb_policy_intf *intf)
{
    yajl_gen_map_open(g);
    if (intf->number >= 0)
        json_number(g, "interface", (uint32_t)intf->number);
    json_bool(g, "active", !intf->inactive);
    put_code(g, "class", intf->class_code);
    put_code(g, "subclass", intf->subclass);
    put_code(g, "protocol", intf->protocol);
    put_rule(g, &intf->rule);
    yajl_gen_map_close(g);
}

static void put_verdict(yajl_gen g, const struct xlx_usb_policy_verdict *v)
{
    yajl_gen_map_open(g);
    json_text(g, "busid", v->busid);
    json_id(g, "vendor_id", v->vendor);
    json_id(g, "product_id", v->product);
    json_id(g, "release", v->release);
    json_bool(g, "allowed", v->allowed);
    json_bool(g, "more_interfaces", v->more_intfs);
    json_string(g, "interfaces");
    yajl_gen_array_open(g);
    for (uint32_t i = 0; i < v->nr_intfs; i++)
        put_intf(g, &v->intf[i]);
    yajl_gen_array_close(g);
    yajl_gen_map_close(g);
}

static bool print_json(FILE *out, const struct xlx_usb_policy_verdict *list,
                       int nr)
{
    yajl_gen g = json_open(out);
    if (!g)
        return false;
    yajl_gen_map_open(g);
    json_string(g, "devices");
    yajl_gen_array_open(g);
    for (int i = 0; i < nr; i++)
        put_verdict(g, &list[i]);
    yajl_gen_array_close(g);
    yajl_gen_map_close(g);
    yajl_gen_free(g);
    return true;
}

static bool print_rules_json(FILE *out, const struct xlx_usb_policy_rule *list,
                             int nr)
{
    yajl_gen g = json_open(out);
    if (!g)
        return false;
    yajl_gen_map_open(g);
    json_string(g, "rules");
    yajl_gen_array_open(g);
    for (int i = 0; i < nr; i++) {
        yajl_gen_map_open(g);
        put_rule(g, &list[i]);
        yajl_gen_map_close(g);
    }
    yajl_gen_array_close(g);
    yajl_gen_map_close(g);
    yajl_gen_free(g);
    return true;
}

/* --- the command ---------------------------------------------------------- */

static int check_one(struct cmd_env *env, const char *device, bool json)
{
    struct xlx_usb_policy_verdict verdict;
    if (xlx_usb_policy_check(env->ctx, device, &verdict, sizeof(verdict)))
        return CMD_FAILED;
    bool done =
        json ? print_json(env->out, &verdict, 1) : print_one(env, &verdict);
    return done && verdict.allowed ? CMD_OK : CMD_FAILED;
}

static int check_all(struct cmd_env *env, bool json)
{
    struct xlx_usb_policy_verdict *list;
    int nr = xlx_usb_policy_check_all(env->ctx, &list, sizeof(*list));
    if (nr < 0)
        return CMD_FAILED;
    bool done =
        json ? print_json(env->out, list, nr) : print_all(env, list, nr);
    free(list);
    return done ? CMD_OK : CMD_FAILED;
}

static int list_rules(struct cmd_env *env, bool json)
{
    struct xlx_usb_policy_rule *list;
    int nr = xlx_usb_policy_rules(env->ctx, &list);
    if (nr < 0)
        return CMD_FAILED;
    bool done = json ? print_rules_json(env->out, list, nr)
                     : print_rules(env, list, nr);
    free(list);
    return done ? CMD_OK : CMD_FAILED;
}

int cmd_usb_policy(struct cmd_env *env, int argc, char **argv)
{
    const struct cmd *self = cmd_find(argv[0]);
    struct cmd_opts opts;
    int status;
    if (!cmd_parse(env, self, argc, argv, &opts, &status))
        return status;
    const char *what = opts.argc ? opts.argv[0] : "";
    bool check = !strcmp(what, "check"), json = opts.set[OPT_JSON];
    if (!check && strcmp(what, "list"))
        return cmd_usage(env, self, "takes check or list: %s", self->args);
    if (opts.argc > (check ? 2 : 1))
        return cmd_usage(env, self, "%s: too many arguments: %s",
                         opts.argv[check ? 2 : 1], self->args);
    if (!check)
        return list_rules(env, json);
    return opts.argc == 2 ? check_one(env, opts.argv[1], json)
                          : check_all(env, json);
}
