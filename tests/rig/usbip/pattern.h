/* SPDX-License-Identifier: LGPL-2.1-only */
/* What usbip-device sends and usb-try (../usbfs) expects, and the other way. */
#ifndef USB_PATTERN_H
#define USB_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A stream in which each 32-bit word (little-endian) holds its own number. */
void pattern_fill(uint8_t *to, size_t length, uint64_t offset);
bool pattern_is(const uint8_t *bytes, size_t length, uint64_t offset);

/* A packet that begins with its number, and goes on as follows from it. */
void packet_fill(uint8_t *to, size_t length, uint32_t number);

#endif
