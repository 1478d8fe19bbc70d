/* SPDX-License-Identifier: LGPL-2.1-only */
#include "columns.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define GAP 2        /* blanks between columns */
#define WIDTH_MAX 40 /* what is wider moves the rest of its line */

struct columns {
    const struct column *column;
    unsigned nr_columns, nr_rows, room;
    char **text; /* of all rows; NULL: none */
    bool failed; /* there was no memory */
};

struct columns *columns_new(const struct column *column)
{
    struct columns *t = calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    t->column = column;
    while (column[t->nr_columns].head)
        t->nr_columns++;
    return t;
}

static bool grow(struct columns *t)
{
    unsigned room = t->room ? 2 * t->room : 16;
    char **text =
        reallocarray(t->text, (size_t)room * t->nr_columns, sizeof(*text));
    if (!text)
        return false;
    t->text = text;
    t->room = room;
    return true;
}

void columns_row(struct columns *t)
{
    if (!t || t->failed)
        return;
    if (t->nr_rows == t->room && !grow(t)) {
        t->failed = true;
        return;
    }
    memset(t->text + (size_t)t->nr_rows * t->nr_columns, 0,
           t->nr_columns * sizeof(*t->text));
    t->nr_rows++;
}

void columns_put(struct columns *t, unsigned column, const char *fmt, ...)
{
    char *text = NULL;
    va_list ap;
    if (!t || t->failed)
        return;
    va_start(ap, fmt);
    int n = vasprintf(&text, fmt, ap);
    va_end(ap);
    if (n < 0) {
        t->failed = true;
        return;
    }
    char **at = &t->text[(size_t)(t->nr_rows - 1) * t->nr_columns + column];
    free(*at);
    *at = text;
}

/* --- printing ------------------------------------------------------------- */

/* NULL for none. */
static const char *text_of(const struct columns *t, unsigned row, unsigned c)
{
    const char *text = t->text[(size_t)row * t->nr_columns + c];
    return text && *text ? text : NULL;
}

/* On a terminal: of a letter in UTF-8 the first byte counts. */
static unsigned width_of(const char *text)
{
    unsigned width = 0;
    for (; *text; text++)
        width += (*text & 0xc0) != 0x80;
    return width;
}

static unsigned width_of_column(const struct columns *t, unsigned c)
{
    unsigned width = width_of(t->column[c].head);
    for (unsigned row = 0; row < t->nr_rows; row++) {
        const char *text = text_of(t, row, c);
        unsigned w = text ? width_of(text) : 1;
        if (w > width)
            width = w < WIDTH_MAX ? w : WIDTH_MAX;
    }
    return width;
}

/* `owed` blanks are printed where something follows, none at a line's end. */
static void print_text(FILE *out, const struct column *column, unsigned width,
                       const char *text, unsigned *owed)
{
    unsigned has = width_of(text), pad = has < width ? width - has : 0;
    fprintf(out, "%*s%s", (int)(*owed + (column->right ? pad : 0)), "", text);
    *owed = GAP + (column->right ? 0 : pad);
}

/* The row with that number; -1: the headings. */
static void print_row(const struct columns *t, FILE *out, int row,
                      const unsigned *width, unsigned indent)
{
    unsigned owed = indent;
    for (unsigned c = 0; c < t->nr_columns; c++) {
        const char *text =
            row < 0 ? t->column[c].head : text_of(t, (unsigned)row, c);
        if (!text && c + 1 < t->nr_columns)
            text = "-";
        if (text)
            print_text(out, &t->column[c], width[c], text, &owed);
    }
    fputc('\n', out);
}

bool columns_print(const struct columns *t, FILE *out, FILE *err,
                   unsigned indent)
{
    unsigned *width =
        t && !t->failed ? calloc(t->nr_columns, sizeof(*width)) : NULL;
    if (!width) {
        fprintf(err, "error: no memory\n");
        return false;
    }
    for (unsigned c = 0; c < t->nr_columns; c++)
        width[c] = width_of_column(t, c);
    for (int row = -1; row < (int)t->nr_rows; row++)
        print_row(t, out, row, width, indent);
    free(width);
    return true;
}

void columns_free(struct columns *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < (size_t)t->nr_rows * t->nr_columns; i++)
        free(t->text[i]);
    free(t->text);
    free(t);
}
