/* SPDX-License-Identifier: LGPL-2.1-only */
#include "nearest.h"

#include <stdbool.h>
#include <string.h>

static unsigned min(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* The last three rows of the usual table: for each start of `b`, how far it is
 * from the starts of `a` of this length and the two before. */
struct rows {
    unsigned v[3][CMD_NEAREST_MAX + 1];
};

static void fill_row(struct rows *rows, const char *a, const char *b,
                     unsigned i)
{
    unsigned *now = rows->v[i % 3];
    const unsigned *last = rows->v[(i + 2) % 3], *before = rows->v[(i + 1) % 3];
    now[0] = i;
    for (unsigned j = 1; b[j - 1]; j++) {
        now[j] = min(last[j - 1] + (a[i - 1] != b[j - 1]),
                     min(last[j], now[j - 1]) + 1);
        if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
            now[j] = min(now[j], before[j - 2] + 1);
    }
}

unsigned cmd_edit_distance(const char *a, const char *b)
{
    struct rows rows;
    unsigned nr_a = (unsigned)strnlen(a, CMD_NEAREST_MAX + 1);
    unsigned nr_b = (unsigned)strnlen(b, CMD_NEAREST_MAX + 1);
    if (nr_a > CMD_NEAREST_MAX || nr_b > CMD_NEAREST_MAX)
        return CMD_NEAREST_MAX + 1;
    for (unsigned j = 0; j <= nr_b; j++)
        rows.v[0][j] = j;
    for (unsigned i = 1; i <= nr_a; i++)
        fill_row(&rows, a, b, i);
    return rows.v[nr_a % 3][nr_b];
}

/* A third of the longer word may be wrong: of short words there are too many
 * that could be meant. */
static bool is_near(const char *text, const char *word, unsigned distance)
{
    size_t nr_text = strlen(text), nr_word = strlen(word);
    return 3 * (size_t)distance <= (nr_text > nr_word ? nr_text : nr_word);
}

const char *cmd_nearest_of(const char *text, const char *const *words)
{
    const char *nearest = NULL;
    unsigned least = CMD_NEAREST_MAX + 1;
    for (; *words; words++) {
        unsigned distance = cmd_edit_distance(text, *words);
        if (distance >= least || !is_near(text, *words, distance))
            continue;
        nearest = *words;
        least = distance;
    }
    return nearest;
}
