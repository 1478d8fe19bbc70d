/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Which plugged device is the one that was assigned: a table.
 */
#include "test.h"

#include "usb/device/identity.h"

#define STICK "080650"
#define KEYS "030101"

/* "busid vid:pid serial interface,..."; serial "-" for none. */
static struct xlx__usbdev dev_of(const char *text)
{
    struct xlx__usbdev dev = { 0 };
    char copy[128], *rest = copy;
    snprintf(copy, sizeof(copy), "%s", text);
    snprintf(dev.busid, sizeof(dev.busid), "%s", strsep(&rest, " "));
    dev.vendor = (uint16_t)strtoul(strsep(&rest, ":"), NULL, 16);
    dev.product = (uint16_t)strtoul(strsep(&rest, " "), NULL, 16);
    const char *serial = strsep(&rest, " ");
    snprintf(dev.serial, sizeof(dev.serial), "%s",
             strcmp(serial, "-") ? serial : "");
    for (char *one; (one = strsep(&rest, ",")) && *one;) {
        unsigned long class = strtoul(one, NULL, 16);
        dev.intf[dev.nr_intfs] =
            (struct xlx__usbintf){ (uint8_t)dev.nr_intfs,
                                   (uint8_t)(class >> 16),
                                   (uint8_t)(class >> 8), (uint8_t) class };
        dev.nr_intfs++;
    }
    return dev;
}

struct row {
    const char *what;
    const char *want;
    const char *plugged[4]; /* one that begins with '!' is taken */
    enum xlx__match match;
    int which;
};

static const struct row rows[] = {
    { "nothing is plugged in", "1-2 1:2 A " STICK, { 0 }, XLX__MATCH_NONE, -1 },
    { "at its place",
      "1-2 1:2 A " STICK,
      { "1-1 1:2 B " STICK, "1-2 1:2 A " STICK },
      XLX__MATCH_ONE,
      1 },
    { "with its serial at another place",
      "1-2 1:2 A " STICK,
      { "1-1 1:2 B " STICK, "3-4.1 1:2 A " STICK },
      XLX__MATCH_ONE,
      1 },
    { "its twin at its place is not it",
      "1-2 1:2 A " STICK,
      { "1-2 1:2 B " STICK },
      XLX__MATCH_NONE,
      -1 },
    { "another product",
      "1-2 1:2 A " STICK,
      { "1-2 1:3 A " STICK },
      XLX__MATCH_NONE,
      -1 },
    { "another vendor",
      "1-2 1:2 A " STICK,
      { "1-2 2:2 A " STICK },
      XLX__MATCH_NONE,
      -1 },
    { "two with its serial, one at its place",
      "1-2 1:2 A " STICK,
      { "1-1 1:2 A " STICK, "1-2 1:2 A " STICK },
      XLX__MATCH_ONE,
      1 },
    { "two with its serial, none at its place",
      "1-2 1:2 A " STICK,
      { "1-1 1:2 A " STICK, "1-3 1:2 A " STICK },
      XLX__MATCH_AMBIGUOUS,
      -1 },
    { "serial lost",
      "1-2 1:2 A " STICK,
      { "1-2 1:2 - " STICK },
      XLX__MATCH_NONE,
      -1 },
    { "serial gained",
      "1-2 1:2 - " STICK,
      { "1-2 1:2 A " STICK },
      XLX__MATCH_NONE,
      -1 },

    { "without serial at its place",
      "1-2 1:2 - " STICK,
      { "1-1 1:2 - " STICK, "1-2 1:2 - " STICK },
      XLX__MATCH_ONE,
      1 },
    { "without serial, the only one",
      "1-2 1:2 - " STICK,
      { "1-9 1:2 - " STICK },
      XLX__MATCH_ONE,
      0 },
    { "twins at other places",
      "1-2 1:2 - " STICK,
      { "1-1 1:2 - " STICK, "1-3 1:2 - " STICK },
      XLX__MATCH_AMBIGUOUS,
      -1 },
    { "twins, one of them somebody's",
      "1-2 1:2 - " STICK,
      { "!1-1 1:2 - " STICK, "1-3 1:2 - " STICK },
      XLX__MATCH_ONE,
      1 },
    { "somebody's",
      "1-2 1:2 - " STICK,
      { "!1-1 1:2 - " STICK },
      XLX__MATCH_TAKEN,
      0 },
    { "somebody's at its place",
      "1-2 1:2 A " STICK,
      { "!1-2 1:2 A " STICK },
      XLX__MATCH_TAKEN,
      0 },

    { "a stick that became a keyboard",
      "1-2 1:2 - " STICK,
      { "1-2 1:2 - " KEYS },
      XLX__MATCH_CHANGED,
      0 },
    { "with the serial too",
      "1-2 1:2 A " STICK,
      { "1-4 1:2 A " KEYS },
      XLX__MATCH_CHANGED,
      0 },
    { "a stick and a keyboard",
      "1-2 1:2 A " STICK,
      { "1-2 1:2 A " STICK "," KEYS },
      XLX__MATCH_CHANGED,
      0 },
    { "one interface fewer",
      "1-2 1:2 A " STICK "," KEYS,
      { "1-2 1:2 A " STICK },
      XLX__MATCH_CHANGED,
      0 },
    { "interfaces in another order",
      "1-2 1:2 A " STICK "," KEYS,
      { "1-2 1:2 A " KEYS "," STICK },
      XLX__MATCH_CHANGED,
      0 },
    { "somebody's keyboard with its numbers",
      "1-2 1:2 - " STICK,
      { "!1-2 1:2 - " KEYS },
      XLX__MATCH_NONE,
      -1 },
    { "a keyboard at its place, it elsewhere",
      "1-2 1:2 - " STICK,
      { "1-2 1:2 - " KEYS, "1-3 1:2 - " STICK },
      XLX__MATCH_ONE,
      1 },
    { "a keyboard with its numbers elsewhere",
      "1-2 1:2 - " STICK,
      { "1-1 1:2 - " KEYS },
      XLX__MATCH_NONE,
      -1 },
    { "not configured yet",
      "1-2 1:2 A " STICK,
      { "1-2 1:2 A " },
      XLX__MATCH_NONE,
      -1 },
};

static void the_table(void **state)
{
    (void)state;
    for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        struct xlx__usbdev dev[4], mine = dev_of(rows[r].want);
        struct xlx_usb_identity id;
        bool taken[4] = { 0 };
        int nr = 0, which = -1;
        xlx__identity_of(&mine, &id);
        for (; nr < 4 && rows[r].plugged[nr]; nr++) {
            taken[nr] = rows[r].plugged[nr][0] == '!';
            dev[nr] = dev_of(rows[r].plugged[nr] + taken[nr]);
        }
        enum xlx__match match =
            xlx__identity_match(&id, dev, nr, taken, &which);
        if (match != rows[r].match || which != rows[r].which)
            fail_msg("%s: %d, device %d", rows[r].what, match, which);
    }
}

static void one_device_is_one(void **state)
{
    (void)state;
    struct xlx__usbdev a = dev_of("1-2 1:2 A " STICK);
    struct xlx__usbdev b = dev_of("1-3 1:2 A " STICK);
    struct xlx__usbdev c = dev_of("1-3 1:2 - " STICK);
    struct xlx__usbdev d = dev_of("1-4 1:2 - " STICK);
    struct xlx_usb_identity x, y;
    xlx__identity_of(&a, &x);
    assert_string_equal(x.face[0].classes[0], STICK);
    xlx__identity_of(&b, &y);
    assert_true(xlx__identity_same(&x, &y));
    xlx__identity_of(&c, &x);
    assert_false(xlx__identity_same(&x, &y));
    xlx__identity_of(&d, &y);
    assert_false(xlx__identity_same(&x, &y));
    assert_true(xlx__identity_same(&y, &y));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table),
        cmocka_unit_test(one_device_is_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
