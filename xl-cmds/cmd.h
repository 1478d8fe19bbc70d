/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What a command is: one row of the table, and one function that parses, calls
 * the library and prints. Help, man page check and completion come from the
 * same row.
 */
#ifndef CMD_H
#define CMD_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "libxl_ext.h"

/* Exit statuses, as xl's. */
enum { CMD_OK = 0, CMD_FAILED = 1, CMD_USAGE = 2 };

/* The world of a command; tests hand in a context with fakes and memory
 * streams. */
struct cmd_env {
    xlx_ctx *ctx;
    FILE *out;        /* what was asked for */
    FILE *err;        /* errors, warnings, progress */
    char **global;    /* xl's own options before the command, NULL-terminated */
    const char *name; /* what this program was called as: xl; NULL: xl-ext */
};

static inline const char *cmd_program(const struct cmd_env *env)
{
    return env->name ? env->name : "xl-ext";
}

enum cmd_arg { CMD_NO_ARG, CMD_NEEDS_ARG, CMD_MAY_HAVE_ARG };

struct cmd_option {
    const char *name; /* long name, without the dashes */
    char letter;      /* short form, or 0 */
    enum cmd_arg has_arg;
    const char *argh; /* what the argument is, for the help; or NULL */
    const char *help;
};

#define CMD_MAX_OPTIONS 12

struct cmd {
    const char *name;
    const char *args;    /* the synopsis behind the name */
    const char *summary; /* one line, no full stop */
    /*
     * Paragraphs and examples for --help, or NULL. "xl-ext " stands for the
     * name that the program was called by, "xl " for the distribution's.
     */
    const char *details;
    const struct cmd_option *options; /* ends with a NULL name; or NULL */
    /*
     * Whether this call of a command that the distribution's xl has too is
     * ours; NULL where it always is.
     */
    bool (*claims)(int argc, char **argv);
    /* argv[0] is the command's name. Returns an exit status. */
    int (*run)(struct cmd_env *env, int argc, char **argv);
};

/* All commands, sorted by family; ends with a NULL name. */
extern const struct cmd cmd_table[];

/* The command of that exact name, or NULL. */
const struct cmd *cmd_find(const char *name);

/* The command that was likely meant by a name that none has, or NULL. */
const char *cmd_nearest(const char *name);

/* The parsed options of one call, by their index in cmd->options. */
struct cmd_opts {
    bool set[CMD_MAX_OPTIONS];
    const char *arg[CMD_MAX_OPTIONS]; /* NULL where none was given */
    int argc;                         /* what is left: the operands */
    char **argv;
};

/*
 * Parses the options of `cmd` (and --help): up to the first operand where the
 * distribution's xl has that command too (claims), else wherever they stand.
 * Returns true to continue, false when the command is done with *status:
 * --help printed, or a wrong option reported.
 */
bool cmd_parse(struct cmd_env *env, const struct cmd *cmd, int argc,
               char **argv, struct cmd_opts *opts, int *status);

/* The same for a command without operands: one is reported. */
bool cmd_parse_alone(struct cmd_env *env, const struct cmd *cmd, int argc,
                     char **argv, struct cmd_opts *opts, int *status);

/* The name of the command's option that was likely meant by an argument "--..."
 * that is none of them; else NULL. */
const char *cmd_near_option(const struct cmd *cmd, const char *arg);

/* Before xl gets arguments that it may not understand: a line for each that may
 * have meant an option of ours. */
void cmd_hint_options(struct cmd_env *env, const struct cmd *cmd, char **argv);

/* Reports a wrong call: the text, and where to read on. Returns CMD_USAGE. */
int cmd_usage(struct cmd_env *env, const struct cmd *cmd, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* As xlx_domain_find(). Where there is no such domain, a line proposes the
 * guest whose name is near. */
int cmd_find_domain(struct cmd_env *env, const char *text, uint32_t *domid_r);

/* That line, for a call of the library that has found no such guest. */
void cmd_hint_domain(struct cmd_env *env, const char *text);

/* A decimal number and nothing else, in [min, max]. */
bool cmd_read_number(const char *text, uint32_t min, uint32_t max,
                     uint32_t *value);

/* The value of "key=value", NULL when `arg` has another key or none. */
const char *cmd_value_of(const char *arg, const char *key);

/*
 * What a device says of itself, for a terminal: printable ASCII and whole UTF-8
 * stay, every other byte becomes \xHH. `to` has room for four times the length
 * of `from`, and a NUL.
 */
void cmd_escape(const char *from, char *to);

/* Prints a text at the column `at`, from 0, of a line that has begun, and ends
 * the line. What would stand behind column 80 continues on lines of its own,
 * behind `indent` blanks. */
void cmd_print_wrapped(FILE *out, unsigned at, unsigned indent,
                       const char *text);

/* Prints the full help of one command. */
void cmd_print_help(struct cmd_env *env, const struct cmd *cmd);

/*
 * Becomes the distribution's xl with these arguments (argv[0] is replaced);
 * environment, terminal and signals stay as they are. Returns only on failure,
 * an exit status, the reason printed.
 */
int cmd_hand_on(struct cmd_env *env, char **argv);

/* The same for one command, argv[0] its name, behind env->global. */
int cmd_hand_on_command(struct cmd_env *env, char **argv);

/* The same as a child, where there is something to do when it has ended: its
 * exit status. */
int cmd_run_command(struct cmd_env *env, char **argv);

/* The commands, a file a family. */
int cmd_help(struct cmd_env *env, int argc, char **argv);
int cmd_version(struct cmd_env *env, int argc, char **argv);
extern const struct cmd_option cmd_version_options[];
extern const char cmd_version_details[];

int cmd_doctor(struct cmd_env *env, int argc, char **argv);
extern const struct cmd_option cmd_doctor_options[];
extern const char cmd_doctor_details[];

int cmd_install_front(struct cmd_env *env, int argc, char **argv);
extern const struct cmd_option cmd_install_front_options[];
extern const char cmd_install_front_details[];

int cmd_restore(struct cmd_env *env, int argc, char **argv);
bool cmd_restore_claims(int argc, char **argv);
extern const struct cmd_option cmd_restore_options[];
extern const char cmd_restore_details[];

int cmd_lazy_check(struct cmd_env *env, int argc, char **argv);
extern const struct cmd_option cmd_lazy_check_options[];
extern const char cmd_lazy_check_details[];

int cmd_lazy_list(struct cmd_env *env, int argc, char **argv);
extern const struct cmd_option cmd_lazy_list_options[];
extern const char cmd_lazy_list_details[];

int cmd_lazy_wait(struct cmd_env *env, int argc, char **argv);
extern const struct cmd_option cmd_lazy_wait_options[];
extern const char cmd_lazy_wait_details[];

int cmd_lazy_finish(struct cmd_env *env, int argc, char **argv);
extern const char cmd_lazy_finish_details[];

int cmd_lazy_set(struct cmd_env *env, int argc, char **argv);
extern const struct cmd_option cmd_lazy_set_options[];
extern const char cmd_lazy_set_details[];

enum cmd_wait {
    CMD_WAIT_QUIET = 1,  /* no progress, not even on a terminal */
    CMD_WAIT_FINISH = 2, /* as fast as it can, whatever was set */
};

/*
 * Waits until the lazily restored domain is complete; `how` is of CMD_WAIT_*
 * bits. An exit status; `command` is named in messages.
 */
int cmd_wait_until_filled(struct cmd_env *env, const char *command,
                          uint32_t domid, enum cmd_wait how);

int cmd_image_info(struct cmd_env *env, int argc, char **argv);
int cmd_image_index(struct cmd_env *env, int argc, char **argv);
int cmd_image_verify(struct cmd_env *env, int argc, char **argv);
int cmd_image_optimize(struct cmd_env *env, int argc, char **argv);
extern const struct cmd_option cmd_image_info_options[];
extern const struct cmd_option cmd_image_optimize_options[];
extern const struct cmd_option cmd_image_index_options[]; /* and of verify */
extern const char cmd_image_info_details[];
extern const char cmd_image_index_details[];
extern const char cmd_image_verify_details[];
extern const char cmd_image_optimize_details[];

int cmd_guard(struct cmd_env *env, int argc, char **argv);
extern const char cmd_guard_details[], cmd_guard_dump_details[];
extern const char cmd_guard_mem_details[];
extern const struct cmd_option cmd_guard_usb_options[]; /* save, migrate */

int cmd_usb_attach(struct cmd_env *env, int argc, char **argv);
int cmd_usb_detach(struct cmd_env *env, int argc, char **argv);
int cmd_usb_list(struct cmd_env *env, int argc, char **argv);
int cmd_usb_hc_create(struct cmd_env *env, int argc, char **argv);
int cmd_usb_hc_destroy(struct cmd_env *env, int argc, char **argv);
int cmd_usb_devices(struct cmd_env *env, int argc, char **argv);
int cmd_usb_policy(struct cmd_env *env, int argc, char **argv);
int cmd_usb_assign(struct cmd_env *env, int argc, char **argv);
int cmd_usb_unassign(struct cmd_env *env, int argc, char **argv);
int cmd_usb_reconcile(struct cmd_env *env, int argc, char **argv);
extern const struct cmd_option cmd_usb_assign_options[];
extern const struct cmd_option cmd_usb_unassign_options[];
extern const struct cmd_option cmd_usb_reconcile_options[];
extern const char cmd_usb_assign_details[];
extern const char cmd_usb_unassign_details[];
extern const char cmd_usb_reconcile_details[];
extern const struct cmd_option cmd_usb_hc_create_options[];
extern const struct cmd_option cmd_usb_hc_destroy_options[];
extern const struct cmd_option cmd_usb_attach_options[];
extern const struct cmd_option cmd_usb_detach_options[];
extern const struct cmd_option cmd_usb_devices_options[];
extern const char cmd_usb_devices_details[];
extern const struct cmd_option cmd_usb_list_options[];
extern const struct cmd_option cmd_usb_policy_options[];
extern const char cmd_usb_attach_details[];
extern const char cmd_usb_detach_details[];
extern const char cmd_usb_list_details[];
extern const char cmd_usb_hc_create_details[];
extern const char cmd_usb_hc_destroy_details[];
extern const char cmd_usb_policy_details[];

#endif
