/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Which word was meant by one that nobody knows: pure.
 */
#ifndef CMD_NEAREST_H
#define CMD_NEAREST_H

#define CMD_NEAREST_MAX 48 /* a longer word is near to nothing */

/*
 * How many letters have to be put in, left out, replaced or swapped with the
 * next one to make `b` of `a`. Of words that are longer than CMD_NEAREST_MAX,
 * only more than that.
 */
unsigned cmd_edit_distance(const char *a, const char *b);

/*
 * Returns the one of `words` (a list that NULL ends) that `text`, which is none
 * of them, most likely meant: the first of those that are equally near, or NULL
 * if none is near.
 */
const char *cmd_nearest_of(const char *text, const char *const *words);

#endif
