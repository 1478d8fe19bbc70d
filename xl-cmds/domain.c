/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The domain that a command names, or the one that it may have meant.
 */
#include <errno.h>
#include <stdlib.h>

#include "cmd.h"
#include "nearest.h"

void cmd_hint_domain(struct cmd_env *env, const char *text)
{
    char name[4 * XLX_GUEST_NAME_MAX];
    struct xlx_domain *list = NULL;
    int nr = xlx_domain_list(env->ctx, &list, sizeof(*list));
    const char **names = nr > 0 ? calloc((size_t)nr + 1, sizeof(*names)) : NULL;
    for (int i = 0, n = 0; names && i < nr; i++)
        if (*list[i].name)
            names[n++] = list[i].name;
    const char *near = names ? cmd_nearest_of(text, names) : NULL;
    if (near) {
        cmd_escape(near, name);
        fprintf(env->err, "%s: %s: did you mean %s?\n", cmd_program(env), text,
                name);
    }
    free(names);
    free(list);
}

int cmd_find_domain(struct cmd_env *env, const char *text, uint32_t *domid_r)
{
    int rc = xlx_domain_find(env->ctx, text, domid_r);
    if (rc == -ESRCH)
        cmd_hint_domain(env, text);
    return rc;
}
