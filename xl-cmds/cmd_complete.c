/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * help --complete: what the last word of a command line can become. All shells
 * ask this, so that they know the same; each line of the answer is a candidate,
 * a tab and what it is, or @files, where the shell knows best.
 */
#include "cmd_complete.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "libxl_ext_usb.h"

#define OPERANDS_MAX 16

enum kind {
    NOTHING,
    COMMAND,
    GUEST,
    FILES,
    FREE_DEVICE,     /* that could be attached */
    ANY_DEVICE,      /* but hubs */
    ATTACHED_DEVICE, /* of the guest */
    ASSIGNED_DEVICE, /* to the guest */
    CONTROLLER,      /* of the guest */
    WORDS,           /* the rule's */
};

struct rule {
    const char *command;
    enum kind operand[3];
    const char *const *words;
    /* "key=", which may stand behind the first operand, or, `late`, the
     * second. */
    const char *const *keys;
    bool late;
};

static const char *const place_keys[] = { "controller=", "port=", NULL };
static const char *const xl_keys[] = { "hostbus=", "hostaddr=", "controller=",
                                       "port=", NULL };
static const char *const hc_keys[] = { "version=", "ports=", "type=", NULL };
static const char *const policy_words[] = { "check", "list", NULL };
static const char *const switch_words[] = { "on", "off", NULL };
static const char *const usb_words[] = { "detach", "refuse", NULL };

static const struct rule rules[] = {
    { "restore", { FILES, FILES }, NULL, NULL, false },
    { "lazy-wait", { GUEST }, NULL, NULL, false },
    { "lazy-finish", { GUEST }, NULL, NULL, false },
    { "lazy-set", { GUEST }, NULL, NULL, false },
    { "image-info", { FILES }, NULL, NULL, false },
    { "image-index", { FILES }, NULL, NULL, false },
    { "image-verify", { FILES }, NULL, NULL, false },
    { "image-optimize", { FILES, FILES }, NULL, NULL, false },
    { "save", { GUEST, FILES }, NULL, NULL, false },
    { "migrate", { GUEST }, NULL, NULL, false },
    { "dump-core", { GUEST, FILES }, NULL, NULL, false },
    { "mem-set", { GUEST }, NULL, NULL, false },
    { "mem-max", { GUEST }, NULL, NULL, false },
    { "usb-attach", { GUEST, FREE_DEVICE }, NULL, place_keys, true },
    { "usb-detach", { GUEST, ATTACHED_DEVICE }, NULL, place_keys, false },
    { "usb-list", { GUEST }, NULL, NULL, false },
    { "usb-hc-create", { GUEST }, NULL, hc_keys, false },
    { "usb-hc-destroy", { GUEST, CONTROLLER }, NULL, NULL, false },
    { "usb-assign", { GUEST, ANY_DEVICE }, NULL, place_keys, true },
    { "usb-unassign", { GUEST, ASSIGNED_DEVICE }, NULL, NULL, false },
    { "usb-reconcile", { GUEST }, NULL, NULL, false },
    { "usb-policy", { WORDS, ANY_DEVICE }, policy_words, NULL, false },
    { "evtchn-list", { GUEST }, NULL, NULL, false },
    { "evtchn-bind", { GUEST }, NULL, NULL, false },
    { "evtchn-unbind", { GUEST }, NULL, NULL, false },
    { "evtchn-allow", { GUEST, WORDS }, switch_words, NULL, false },
    { "evtchn-spread", { GUEST }, NULL, NULL, false },
    { "evtchn-policy", { GUEST }, NULL, NULL, false },
    { "usbdev-attach", { GUEST }, NULL, xl_keys, false },
    { "usbdev-detach", { GUEST, CONTROLLER }, NULL, place_keys, false },
    { "usbctrl-attach", { GUEST }, NULL, hc_keys, false },
    { "usbctrl-detach", { GUEST, CONTROLLER }, NULL, NULL, false },
    { "help", { COMMAND }, NULL, NULL, false },
};

/* What an option's argument is, whichever command's it is. */
static const struct {
    const char *option;
    enum kind kind;
    const char *const *words;
} arguments[] = {
    { "move", GUEST, NULL },     { "options", COMMAND, NULL },
    { "dir", FILES, NULL },      { "sidecar", FILES, NULL },
    { "usb", WORDS, usb_words },
};

/* A command line up to the word that is to be completed. */
struct line {
    struct cmd_env *env;
    const struct cmd *cmd;
    const struct rule *rule; /* or NULL */
    char *operand[OPERANDS_MAX];
    int nr_operands;
    bool hub;                         /* the device is to be one: --hub */
    const struct cmd_option *pending; /* the word is its argument */
    const char *word;
    size_t nr_start; /* of it, which candidates do not have: "--move=" */
};

/* --- candidates ----------------------------------------------------------- */

/* A shell would take blanks apart. */
static bool is_plain(const char *text)
{
    for (; *text; text++)
        if (*text <= ' ' || *text >= 0x7f)
            return false;
    return true;
}

static void say(const struct line *l, const char *text, const char *what)
{
    char escaped[4 * XLX_GUEST_NAME_MAX];
    const char *rest = l->word + l->nr_start;
    if (!is_plain(text) || strncmp(text, rest, strlen(rest)))
        return;
    cmd_escape(what, escaped);
    fprintf(l->env->out, "%.*s%s%s%s\n", (int)l->nr_start, l->word, text,
            *what ? "\t" : "", escaped);
}

static void say_commands(const struct line *l)
{
    for (const struct cmd *c = cmd_table; c->name; c++)
        say(l, c->name, c->summary);
}

static void say_words(const struct line *l, const char *const *words)
{
    for (; words && *words; words++)
        say(l, *words, "");
}

static void say_guests(const struct line *l)
{
    struct xlx_domain *list = NULL;
    char id[32];
    int nr = xlx_domain_list(l->env->ctx, &list, sizeof(*list));
    for (int i = 0; i < nr; i++) {
        snprintf(id, sizeof(id), "domain %u", list[i].domid);
        if (list[i].name[0])
            say(l, list[i].name, id);
    }
    free(list);
}

static void say_devices(const struct line *l, bool all)
{
    struct xlx_usb_device *list = NULL;
    int nr = xlx_usb_devices(l->env->ctx, &list, sizeof(*list));
    for (int i = 0; i < nr; i++)
        if (list[i].hub == l->hub && (list[i].assignable || all || l->hub))
            say(l, list[i].busid, list[i].name);
    free(list);
}

static void say_assigned(const struct line *l)
{
    struct xlx_usb_assignment *list = NULL;
    int nr =
        xlx_usb_assignments(l->env->ctx, l->operand[0], &list, sizeof(*list));
    for (int i = 0; i < nr; i++)
        say(l, list[i].identity->busid, list[i].identity->serial);
    free(list);
}

/* The first operand's; NULL and 0 where there are none. */
static struct xlx_usb_hc *controllers_of(const struct line *l, int *nr_r)
{
    struct xlx_usb_hc *list = NULL;
    uint32_t domid;
    *nr_r = 0;
    if (!l->nr_operands || xlx_domain_find(l->env->ctx, l->operand[0], &domid))
        return NULL;
    *nr_r = xlx_usb_list(l->env->ctx, domid, &list, sizeof(*list));
    return list;
}

static void say_attached(const struct line *l)
{
    int nr;
    struct xlx_usb_hc *list = controllers_of(l, &nr);
    for (int i = 0; i < nr; i++)
        for (uint32_t p = 0; p < list[i].nr_ports; p++)
            if (list[i].port[p]->busid[0])
                say(l, list[i].port[p]->busid, list[i].port[p]->name);
    free(list);
}

static void say_controllers(const struct line *l)
{
    char devid[16];
    int nr;
    struct xlx_usb_hc *list = controllers_of(l, &nr);
    for (int i = 0; i < nr; i++) {
        snprintf(devid, sizeof(devid), "%u", list[i].devid);
        say(l, devid, xlx_usb_type_name(list[i].type));
    }
    free(list);
}

/* Ports of the controller that an earlier word names, or of the first one: a
 * detach is from one with a device, anything else is to a free one. */
static void say_ports(const struct line *l)
{
    bool used = strstr(l->cmd->name, "detach") != NULL;
    uint32_t devid = XLX_USB_ANY;
    int nr, i = 0;
    struct xlx_usb_hc *list = controllers_of(l, &nr);
    for (int o = 1; o < l->nr_operands; o++) {
        const char *value = cmd_value_of(l->operand[o], "controller");
        if (value)
            cmd_read_number(value, 0, UINT16_MAX, &devid);
    }
    while (i < nr && devid != XLX_USB_ANY && list[i].devid != devid)
        i++;
    for (uint32_t p = 0; i < nr && p < list[i].nr_ports; p++) {
        const struct xlx_usb_port *port = list[i].port[p];
        char number[16];
        snprintf(number, sizeof(number), "%u", port->number);
        if (!port->busid[0] == !used)
            say(l, number, port->busid);
    }
    free(list);
}

static void say_types(const struct line *l)
{
    for (int t = XLX_USB_AUTO; t <= XLX_USB_DEVICEMODEL; t++)
        say(l, xlx_usb_type_name(t), "");
}

static void say_kind(const struct line *l, enum kind kind,
                     const char *const *words)
{
    switch (kind) {
    case COMMAND:
        say_commands(l);
        break;
    case GUEST:
        say_guests(l);
        break;
    case FILES:
        fprintf(l->env->out, "@files\n");
        break;
    case FREE_DEVICE:
    case ANY_DEVICE:
        say_devices(l, kind == ANY_DEVICE);
        break;
    case ATTACHED_DEVICE:
        if (l->hub)
            say_devices(l, true);
        else
            say_attached(l);
        break;
    case ASSIGNED_DEVICE:
        say_assigned(l);
        break;
    case CONTROLLER:
        say_controllers(l);
        break;
    case WORDS:
        say_words(l, words);
        break;
    default:
        break;
    }
}

/* --- what the word is ----------------------------------------------------- */

static void start_behind(struct line *l, const char *at)
{
    l->nr_start = (size_t)(at - l->word);
}

static void say_argument(const struct line *l, const struct cmd_option *o)
{
    for (size_t i = 0; i < sizeof(arguments) / sizeof(arguments[0]); i++)
        if (!strcmp(arguments[i].option, o->name))
            say_kind(l, arguments[i].kind, arguments[i].words);
}

/* The help of an option may have two lines, the second one with a margin. */
static void join_lines(const char *from, char *to, size_t size)
{
    size_t n = 0;
    for (; *from && n + 1 < size; from++)
        if (!isspace((unsigned char)*from))
            to[n++] = *from;
        else if (n && to[n - 1] != ' ')
            to[n++] = ' ';
    to[n] = '\0';
}

static void say_option(const struct line *l, const char *name,
                       enum cmd_arg has_arg, const char *help)
{
    char text[64], joined[XLX_GUEST_NAME_MAX];
    snprintf(text, sizeof(text), "--%s%s", name,
             has_arg == CMD_NEEDS_ARG ? "=" : "");
    join_lines(help, joined, sizeof(joined));
    say(l, text, joined);
}

static const struct cmd_option *find_option(const struct cmd *cmd,
                                            const char *name, size_t n)
{
    for (const struct cmd_option *o = cmd->options; o && o->name; o++)
        if (strlen(o->name) == n && !strncmp(o->name, name, n))
            return o;
    return NULL;
}

static void complete_option(struct line *l)
{
    const char *equals = strchr(l->word, '=');
    if (equals && !strncmp(l->word, "--", 2)) {
        const char *name = l->word + 2;
        const struct cmd_option *o =
            find_option(l->cmd, name, (size_t)(equals - name));
        start_behind(l, equals + 1);
        if (o)
            say_argument(l, o);
        return;
    }
    say_option(l, "help", CMD_NO_ARG, "show this help");
    for (const struct cmd_option *o = l->cmd->options; o && o->name; o++)
        say_option(l, o->name, o->has_arg, o->help);
}

static void complete_value(struct line *l)
{
    static const char *const versions[] = { "1", "2", "3", NULL };
    const char *value;
    if ((value = cmd_value_of(l->word, "controller"))) {
        start_behind(l, value);
        say_controllers(l);
    } else if ((value = cmd_value_of(l->word, "port"))) {
        start_behind(l, value);
        say_ports(l);
    } else if ((value = cmd_value_of(l->word, "type"))) {
        start_behind(l, value);
        say_types(l);
    } else if ((value = cmd_value_of(l->word, "version"))) {
        start_behind(l, value);
        say_words(l, versions);
    }
}

static void complete_operand(struct line *l)
{
    const struct rule *r = l->rule;
    if (!r)
        return;
    if (strchr(l->word, '=') && r->keys) {
        complete_value(l);
        return;
    }
    if (l->nr_operands < 3)
        say_kind(l, r->operand[l->nr_operands], r->words);
    if (l->nr_operands > (r->late ? 1 : 0))
        say_words(l, r->keys);
}

/* --- the words before it -------------------------------------------------- */

/* The option whose argument is the next word; NULL for none. */
static const struct cmd_option *wants_more(const struct cmd *cmd,
                                           const char *word)
{
    const struct cmd_option *o = NULL;
    if (!strncmp(word, "--", 2))
        o = find_option(cmd, word + 2, strlen(word + 2));
    for (int i = 0; word[1] != '-' && cmd->options && cmd->options[i].name; i++)
        if (cmd->options[i].letter == word[strlen(word) - 1])
            o = &cmd->options[i];
    return o && o->has_arg == CMD_NEEDS_ARG ? o : NULL;
}

static void read_words(struct line *l, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        l->hub |= !strcmp(argv[i], "--hub");
        if (l->pending)
            l->pending = NULL;
        else if (argv[i][0] == '-' && argv[i][1])
            l->pending = wants_more(l->cmd, argv[i]);
        else if (l->nr_operands < OPERANDS_MAX)
            l->operand[l->nr_operands++] = argv[i];
    }
}

static const struct rule *find_rule(const char *command)
{
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
        if (!strcmp(rules[i].command, command))
            return &rules[i];
    return NULL;
}

void cmd_complete(struct cmd_env *env, int argc, char **argv)
{
    struct line l = { .env = env, .word = argc ? argv[argc - 1] : "" };
    xlx_ctx_set_log(env->ctx, NULL, NULL, XLX_LOG_ERROR);
    if (argc < 2) {
        say_commands(&l);
        return;
    }
    l.cmd = cmd_find(argv[0]);
    if (!l.cmd)
        return;
    l.rule = find_rule(argv[0]);
    read_words(&l, argc - 1, argv);
    if (l.pending)
        say_argument(&l, l.pending);
    else if (l.word[0] == '-')
        complete_option(&l);
    else
        complete_operand(&l);
}
