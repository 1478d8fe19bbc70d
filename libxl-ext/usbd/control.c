/* SPDX-License-Identifier: LGPL-2.1-only */
#include "usbd/control.h"

#include "core/array.h"

#define TYPE_IN 0x80u
#define TYPE_MASK 0x60u /* 0: a standard request */

/* What an index can be; other bits must be zero. */
#define NOTHING 0x0000u
#define INTERFACE 0x00ffu
#define ENDPOINT 0x008fu
#define LANGUAGE 0xffffu

/*
 * The standard requests that a guest may send (USB 2.0, 9.4; the features of
 * USB 3.2, 9.4.9). Whatever is not in here is refused, with its reason:
 *
 * - SET_FEATURE(TEST_MODE) puts the host's port into a test signal that only a
 *   power cycle ends.
 * - SET_FEATURE(B_HNP_ENABLE, A_HNP_SUPPORT, A_ALT_HNP_SUPPORT) let a device
 *   with OTG take the role of the host on the host's bus.
 * - SET_FEATURE and CLEAR_FEATURE of U1_ENABLE, U2_ENABLE, LTM_ENABLE and
 *   LDM_ENABLE, and FUNCTION_SUSPEND of an interface: power states of the real
 *   link. The host's controller has its half of them; a guest that was told of
 *   a high-speed device does not know them.
 * - SET_SEL (0x30), SET_ISOCH_DELAY (0x31): the delays on the way from the real
 *   controller, which only the host knows.
 * - SET_DESCRIPTOR of the device: the host has read its descriptors, and who
 *   may have it was decided by them. Of an interface it is a class's.
 * - SET_ADDRESS 0: back to the state of a reset, which no driver asks for in
 *   this way; after a reset its pipe has the address 0.
 * - The requests of wireless USB, authentication (AUTH_IN, AUTH_OUT), and
 *   numbers that the standard has not given away: what they will do to a bus
 *   is not known.
 * - A known number with another direction or recipient than the standard's:
 *   some devices look at the number only, and would take the request.
 */
static const struct rule {
    uint8_t request_type, request;
    enum xlx__usbd_control verdict;
    uint16_t index;
    uint16_t value_min, value_max;
} rules[] = {
    /* GET_STATUS; other kinds of status than 0 are those of a USB 3 link */
    { 0x80, 0x00, XLX__USBD_PASS, NOTHING, 0, 0 },
    { 0x81, 0x00, XLX__USBD_PASS, INTERFACE, 0, 0 },
    { 0x82, 0x00, XLX__USBD_PASS, ENDPOINT, 0, 0 },
    /* CLEAR_FEATURE, SET_FEATURE: DEVICE_REMOTE_WAKEUP 1, ENDPOINT_HALT 0. The
     * host does not suspend a device that is open, and sets remote wakeup
     * itself when it suspends as a whole. Only clearing a halt concerns the
     * host's controller, which has a data toggle for the endpoint. */
    { 0x00, 0x01, XLX__USBD_PASS, NOTHING, 1, 1 },
    { 0x02, 0x01, XLX__USBD_CLEAR_HALT, ENDPOINT, 0, 0 },
    { 0x00, 0x03, XLX__USBD_PASS, NOTHING, 1, 1 },
    { 0x02, 0x03, XLX__USBD_PASS, ENDPOINT, 0, 0 },
    /* SET_ADDRESS */
    { 0x00, 0x05, XLX__USBD_SET_ADDRESS, NOTHING, 1, 127 },
    /* GET_DESCRIPTOR, and SET_DESCRIPTOR of a class */
    { 0x80, 0x06, XLX__USBD_GET_DESCRIPTOR, LANGUAGE, 0, 0xffff },
    { 0x81, 0x06, XLX__USBD_PASS, INTERFACE, 0, 0xffff },
    { 0x82, 0x06, XLX__USBD_PASS, ENDPOINT, 0, 0xffff },
    { 0x01, 0x07, XLX__USBD_PASS, INTERFACE, 0, 0xffff },
    /* GET_CONFIGURATION, SET_CONFIGURATION */
    { 0x80, 0x08, XLX__USBD_PASS, NOTHING, 0, 0 },
    { 0x00, 0x09, XLX__USBD_SET_CONFIG, NOTHING, 0, 255 },
    /* GET_INTERFACE, SET_INTERFACE */
    { 0x81, 0x0a, XLX__USBD_PASS, INTERFACE, 0, 0 },
    { 0x01, 0x0b, XLX__USBD_SET_INTERFACE, INTERFACE, 0, 255 },
    /* SYNCH_FRAME */
    { 0x82, 0x0c, XLX__USBD_PASS, ENDPOINT, 0, 0 },
};

static uint16_t le16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

void xlx__usbd_setup_read(const uint8_t bytes[8], struct xlx__usbd_setup *s_r)
{
    s_r->request_type = bytes[0];
    s_r->request = bytes[1];
    s_r->value = le16(bytes + 2);
    s_r->index = le16(bytes + 4);
    s_r->length = le16(bytes + 6);
}

/* Without a data stage the direction says nothing. */
static bool data_stage_fits(const struct xlx__usbd_setup *s, bool in,
                            size_t length)
{
    bool device_sends = s->request_type & TYPE_IN;
    if (!s->length)
        return true;
    return device_sends == in && (in || s->length <= length);
}

static const struct rule *find_rule(const struct xlx__usbd_setup *s)
{
    for (size_t i = 0; i < XLX__NR(rules); i++)
        if (rules[i].request_type == s->request_type &&
            rules[i].request == s->request)
            return &rules[i];
    return NULL;
}

/* Of the standard requests that send, only SET_DESCRIPTOR has a data stage. */
static bool length_known(const struct xlx__usbd_setup *s)
{
    return !s->length || s->request_type & TYPE_IN || s->request == 0x07;
}

static enum xlx__usbd_control judge_standard(const struct xlx__usbd_setup *s)
{
    const struct rule *rule = find_rule(s);
    if (!rule || s->index & ~rule->index || s->value < rule->value_min ||
        s->value > rule->value_max || !length_known(s))
        return XLX__USBD_REFUSE;
    /* The control pipe has no toggle to be reset, and no interface that usbfs
     * would find it in; its halt ends with the next request. */
    if (rule->verdict == XLX__USBD_CLEAR_HALT && !(s->index & 0x0f))
        return XLX__USBD_PASS;
    return rule->verdict;
}

enum xlx__usbd_control xlx__usbd_control_judge(const struct xlx__usbd_setup *s,
                                               bool in, size_t length)
{
    if (!data_stage_fits(s, in, length))
        return XLX__USBD_REFUSE;
    return s->request_type & TYPE_MASK ? XLX__USBD_PASS : judge_standard(s);
}
