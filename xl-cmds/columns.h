/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * A list as a table: a heading for each column, and each column as wide as its
 * widest text. A text is printed as it is: escape what others wrote.
 */
#ifndef CMD_COLUMNS_H
#define CMD_COLUMNS_H

#include <stdbool.h>
#include <stdio.h>

struct column {
    const char *head;
    bool right; /* numbers, which end at the same place */
};

struct columns;

/* `column` ends with a NULL head, and has to outlive the table. NULL without
 * memory, which the other functions take. For columns_free(). */
struct columns *columns_new(const struct column *column);

/* Begins a row. */
void columns_row(struct columns *table);

/* The text in the column with that number, of the row begun last. Without one,
 * or with "", the table has a dash there; in its last column, nothing. */
void columns_put(struct columns *table, unsigned column, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Prints the headings and the rows, `indent` blanks before each. False, after a
 * message on `err`, if there was no memory. */
bool columns_print(const struct columns *table, FILE *out, FILE *err,
                   unsigned indent);

/* NULL is allowed. */
void columns_free(struct columns *table);

#endif
