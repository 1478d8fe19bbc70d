/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Which word was meant by one that nobody knows: pure.
 */
#ifndef XLX_CORE_NEAREST_H
#define XLX_CORE_NEAREST_H

#define XLX__NEAREST_MAX 48 /* a longer word is near to nothing */

/*
 * How many letters have to be put in, left out, replaced or swapped with the
 * next one to make `b` of `a`. Of words that are longer than XLX__NEAREST_MAX,
 * only more than that.
 */
unsigned xlx__edit_distance(const char *a, const char *b);

#endif
