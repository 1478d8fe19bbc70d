/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Descriptors of devices as they are sold: their interfaces, what they need,
 * whether PVUSB can carry them, and what a guest reads of one at SuperSpeed.
 * Then descriptors that lie.
 */
#include "test.h"

#include "fakes/usb_sets.h"
#include "usbd/descriptors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SIZE(rows) (sizeof(rows) / sizeof((rows)[0]))
#define PIPE (-EPIPE)

/* A copy that a test may change; freed with free(bytes). */
static struct xlx__usbd_descriptors copy_of(const char *name, uint8_t **bytes_r)
{
    const struct usb_set *set = usb_set(name);
    *bytes_r = malloc(set->d.length);
    assert_non_null(*bytes_r);
    memcpy(*bytes_r, set->d.bytes, set->d.length);
    return (struct xlx__usbd_descriptors){ *bytes_r, set->d.length };
}

static void put16(uint8_t *p, unsigned value)
{
    p[0] = (uint8_t)value;
    p[1] = (uint8_t)(value >> 8);
}

/* Where the nth descriptor of a type is, from 0. */
static size_t find(const struct xlx__usbd_descriptors *d, uint8_t type, int nth)
{
    for (size_t at = 0; at < d->length; at += d->bytes[at])
        if (d->bytes[at + 1] == type && nth-- == 0)
            return at;
    fail_msg("no such descriptor");
    return 0;
}

static bool malformed(const struct xlx__usbd_descriptors *d)
{
    struct xlx__usbd_needs needs;
    xlx__usbd_needs(d, &needs);
    return needs.malformed;
}

/* --- as they are sold ---------------------------------------------------- */

static void assert_interfaces(const struct xlx__usbd_descriptors *d,
                              uint8_t config, const char *want)
{
    uint8_t intf[XLX__USBD_INTFS_MAX];
    char got[256] = "";
    int nr = xlx__usbd_interfaces(d, config, intf);
    if (nr < 0)
        snprintf(got, sizeof(got), "%s", nr == -ENOENT ? "none" : "wrong");
    for (int i = 0; i < nr; i++)
        sprintf(got + strlen(got), "%u ", intf[i]);
    assert_string_equal(got, want);
}

static void interfaces_are_found(void **state)
{
    static const struct {
        const char *set;
        uint8_t config;
        const char *want;
    } rows[] = {
        { "stick", 1, "0 " },         { "stick", 0, "none" },
        { "stick", 2, "none" },       { "uas", 1, "0 " },
        { "net", 1, "0 " },           { "net", 2, "0 1 " },
        { "net", 3, "none" },         { "webcam", 1, "0 1 2 3 " },
        { "headset", 1, "0 1 2 3 " }, { "bluetooth", 1, "0 1 " },
        { "keyboard", 1, "0 1 " },    { "hub", 1, "0 " },
    };
    (void)state;
    for (size_t i = 0; i < SIZE(rows); i++)
        assert_interfaces(&usb_set(rows[i].set)->d, rows[i].config,
                          rows[i].want);
}

static void needs_are_found(void **state)
{
    static const struct {
        const char *set;
        struct xlx__usbd_needs want;
    } rows[] = {
        { "stick", { 0 } },
        { "uas", { 0 } },
        { "uas-only", { .streams = true } },
        { "net", { 0 } },
        { "webcam-super",
          { .isochronous = true,
            .iso_packet_max = 1024,
            .iso_packet_least = 1024 } },
        { "webcam",
          { .isochronous = true,
            .iso_packet_max = 3072,
            .iso_packet_least = 128 } },
        { "webcam-high-bandwidth",
          { .isochronous = true,
            .iso_packet_max = 3072,
            .iso_packet_least = 3072 } },
        { "headset",
          { .isochronous = true,
            .iso_packet_max = 192,
            .iso_packet_least = 192 } },
        { "bluetooth",
          { .isochronous = true,
            .iso_packet_max = 49,
            .iso_packet_least = 9 } },
        { "keyboard", { 0 } },
        { "hub", { 0 } },
    };
    (void)state;
    for (size_t i = 0; i < SIZE(rows); i++) {
        struct xlx__usbd_needs needs;
        xlx__usbd_needs(&usb_set(rows[i].set)->d, &needs);
        if (needs.isochronous != rows[i].want.isochronous ||
            needs.streams != rows[i].want.streams || needs.malformed ||
            needs.iso_packet_max != rows[i].want.iso_packet_max ||
            needs.iso_packet_least != rows[i].want.iso_packet_least)
            fail_msg("%s: %d %d %d %u %u", rows[i].set, needs.isochronous,
                     needs.streams, needs.malformed, needs.iso_packet_max,
                     needs.iso_packet_least);
    }
}

static void assert_text(const char *set, const char *text, const char *want)
{
    if (!text != !want || (want && !strstr(text, want)))
        fail_msg("%s: %s", set, text ? text : "nothing");
}

static void what_cannot_be_carried_is_refused(void **state)
{
    static const struct {
        const char *set;
        uint32_t mbits; /* 0: the set's */
        const char *unfit, *restriction;
    } rows[] = {
        { "stick", 0, NULL, NULL },
        { "stick", 20000, NULL, NULL },
        { "uas", 0, NULL, NULL },
        { "uas-only", 5000, "storage protocol but UAS", NULL },
        { "uas-only", 20000, "storage protocol but UAS", NULL },
        { "uas-only", 480, NULL, NULL },
        { "net", 0, NULL, NULL },
        { "webcam-super", 4999, NULL, NULL },
        { "webcam-super", 5000, "at SuperSpeed and has isochronous", NULL },
        { "webcam-super", 10000, "at SuperSpeed and has isochronous", NULL },
        { "webcam", 0, NULL, "packets of more than 1920" },
        { "webcam-high-bandwidth", 0, "in every setting",
          "packets of more than 1920" },
        { "headset", 0, NULL, NULL },
        { "bluetooth", 0, NULL, NULL },
        { "keyboard", 0, NULL, NULL },
    };
    (void)state;
    for (size_t i = 0; i < SIZE(rows); i++) {
        const struct usb_set *set = usb_set(rows[i].set);
        uint32_t mbits = rows[i].mbits ? rows[i].mbits : set->mbits;
        assert_text(set->name, xlx__usbd_unfit(&set->d, mbits), rows[i].unfit);
        assert_text(set->name, xlx__usbd_restriction(&set->d),
                    rows[i].restriction);
    }
}

static void the_limit_is_1920_bytes_a_packet(void **state)
{
    static const struct {
        unsigned size, packets;
        bool fits;
    } rows[] = {
        { 1024, 1, true },  { 959, 2, true }, { 960, 2, true },
        { 961, 2, false },  { 640, 3, true }, { 641, 3, false },
        { 1024, 2, false }, { 480, 4, true }, { 481, 4, false },
    };
    uint8_t *bytes;
    struct xlx__usbd_descriptors d = copy_of("webcam-high-bandwidth", &bytes);
    size_t at = find(&d, 5, 1);
    (void)state;
    for (size_t i = 0; i < SIZE(rows); i++) {
        put16(bytes + at + 4, rows[i].size | (rows[i].packets - 1) << 11);
        if (!xlx__usbd_unfit(&d, 480) != rows[i].fits)
            fail_msg("%u x %u", rows[i].packets, rows[i].size);
        if (!xlx__usbd_restriction(&d) != rows[i].fits)
            fail_msg("%u x %u", rows[i].packets, rows[i].size);
    }
    free(bytes);
}

/* --- at high speed ------------------------------------------------------- */

static void a_stick_becomes_a_high_speed_stick(void **state)
{
    static const uint8_t device[] = {
        18,   1,    0x00, 0x02, 0,    0, 0, 64, 0x81,
        0x07, 0x81, 0x55, 0x00, 0x01, 1, 2, 3,  1,
    };
    static const uint8_t config[] = {
        9,    2, 32, 0, 1,    1, 0,    0x80, 250, 9, 4, 0,    0, 2,    8,    6,
        0x50, 0, 7,  5, 0x81, 2, 0x00, 0x02, 0,   7, 5, 0x02, 2, 0x00, 0x02, 0,
    };
    static const char *const sets[] = { "stick", "uas" };
    (void)state;
    for (size_t i = 0; i < SIZE(sets); i++) {
        const struct usb_set *set = usb_set(sets[i]);
        uint8_t buf[256];
        assert_int_equal(
            xlx__usbd_descriptor_at_high(&set->d, 0x0200, buf, sizeof(buf)),
            sizeof(config));
        assert_memory_equal(buf, config, sizeof(config));
    }
    uint8_t buf[256];
    assert_int_equal(xlx__usbd_descriptor_at_high(&usb_set("stick")->d, 0x0100,
                                                  buf, sizeof(buf)),
                     sizeof(device));
    assert_memory_equal(buf, device, sizeof(device));
}

static void all_that_is_not_of_superspeed_stays(void **state)
{
    static const uint8_t config[] = {
        9,    2,    80,   0,    2,  2,    0,    0xa0, 144,  9,    4,    0,
        0,    1,    2,    6,    0,  0,    5,    0x24, 0,    0x10, 0x01, 5,
        0x24, 6,    0,    1,    13, 0x24, 15,   3,    0,    0,    0,    0,
        0xea, 0x05, 0,    0,    0,  7,    5,    0x83, 3,    16,   0,    8,
        9,    4,    1,    0,    0,  0x0a, 0,    0,    0,    9,    4,    1,
        1,    2,    0x0a, 0,    0,  0,    7,    5,    0x81, 2,    0x00, 0x02,
        0,    7,    5,    0x02, 2,  0x00, 0x02, 0,
    };
    uint8_t buf[256];
    (void)state;
    assert_int_equal(xlx__usbd_descriptor_at_high(&usb_set("net")->d, 0x0201,
                                                  buf, sizeof(buf)),
                     sizeof(config));
    assert_memory_equal(buf, config, sizeof(config));
}

/* As setting 0, in which a device begins, it stays. Behind a setting that is
 * left out an association begins something new. */
static void uas_is_left_out_but_as_setting_0(void **state)
{
    static const uint8_t head[] = { 9, 2, 62, 0 };
    static const uint8_t more[] = { 8, 11, 1, 1, 3, 0, 0, 0, 9, 4, 1, 0, 0, 3 };
    const struct usb_set *set = usb_set("uas-only");
    uint8_t buf[256], bytes[256] = { 0 };
    (void)state;
    assert_int_equal(
        xlx__usbd_descriptor_at_high(&set->d, 0x0200, buf, sizeof(buf)), 62);
    assert_memory_equal(buf, head, sizeof(head));
    set = usb_set("uas");
    memcpy(bytes, set->d.bytes, set->d.length);
    memcpy(bytes + set->d.length, more, sizeof(more));
    struct xlx__usbd_descriptors d = { bytes, set->d.length + 17 };
    put16(bytes + 18 + 2, 121 + 17);
    assert_int_equal(xlx__usbd_descriptor_at_high(&d, 0x0200, buf, sizeof(buf)),
                     32 + 17);
    assert_memory_equal(buf + 32, more, sizeof(more));
    assert_interfaces(&d, 1, "0 1 ");
}

static void an_answer_is_as_long_as_there_is_room(void **state)
{
    const struct xlx__usbd_descriptors *d = &usb_set("stick")->d;
    static const uint16_t values[] = { 0x0100, 0x0200 };
    (void)state;
    for (size_t i = 0; i < SIZE(values); i++) {
        uint8_t whole[64];
        int full = xlx__usbd_descriptor_at_high(d, values[i], whole, 64);
        assert_true(full > 0);
        for (int size = 0; size <= full + 1; size++) {
            uint8_t *buf = malloc((size_t)size + 1);
            buf[size] = 0xee;
            int n =
                xlx__usbd_descriptor_at_high(d, values[i], buf, (size_t)size);
            assert_int_equal(n, size < full ? size : full);
            assert_memory_equal(buf, whole, (size_t)n);
            assert_int_equal(buf[size], 0xee);
            free(buf);
        }
    }
    assert_int_equal(xlx__usbd_descriptor_at_high(d, 0x0200, NULL, 0), 0);
}

static void a_configuration_may_have_65535_bytes(void **state)
{
    uint8_t *bytes = calloc(1, XLX__USBD_DESCRIPTORS_MAX), *buf = malloc(65536);
    struct xlx__usbd_descriptors d = { bytes, XLX__USBD_DESCRIPTORS_MAX };
    (void)state;
    memcpy(bytes, usb_set("stick")->d.bytes, 18 + 9);
    put16(bytes + 20, 65535);
    for (size_t at = 18 + 9; at < d.length; at += bytes[at]) {
        bytes[at] = (uint8_t)(d.length - at < 255 ? d.length - at : 255);
        bytes[at + 1] = 0x24;
    }
    assert_false(malformed(&d));
    assert_int_equal(xlx__usbd_descriptor_at_high(&d, 0x0200, buf, 65536),
                     65535);
    assert_memory_equal(buf + 9, bytes + 27, 65526);
    assert_int_equal(buf[2] | buf[3] << 8, 65535);
    LLVMFuzzerTestOneInput(bytes, d.length);
    free(bytes);
    free(buf);
}

static void others_stall_or_are_the_devices(void **state)
{
    static const struct {
        uint16_t value;
        int want;
    } rows[] = {
        { 0x0101, PIPE },    { 0x0202, PIPE },    { 0x02ff, PIPE },
        { 0x0600, PIPE },    { 0x0700, PIPE },    { 0x0f00, PIPE },
        { 0x1000, PIPE },    { 0x3000, PIPE },    { 0x3100, PIPE },
        { 0x0300, -ENOENT }, { 0x03ee, -ENOENT }, { 0x2200, -ENOENT },
        { 0x2900, -ENOENT }, { 0x0000, -ENOENT }, { 0xff00, -ENOENT },
    };
    uint8_t buf[64];
    (void)state;
    for (size_t i = 0; i < SIZE(rows); i++)
        if (xlx__usbd_descriptor_at_high(&usb_set("net")->d, rows[i].value, buf,
                                         sizeof(buf)) != rows[i].want)
            fail_msg("%04x", rows[i].value);
}

static void power_is_counted_in_2_ma(void **state)
{
    static const uint8_t rows[][2] = {
        { 0, 0 },    { 1, 4 },     { 62, 248 },
        { 63, 250 }, { 112, 250 }, { 255, 250 },
    };
    uint8_t *bytes, buf[9];
    struct xlx__usbd_descriptors d = copy_of("stick", &bytes);
    (void)state;
    for (size_t i = 0; i < SIZE(rows); i++) {
        bytes[18 + 8] = rows[i][0];
        xlx__usbd_descriptor_at_high(&d, 0x0200, buf, sizeof(buf));
        assert_int_equal(buf[8], rows[i][1]);
    }
    free(bytes);
}

static void packets_are_those_of_high_speed(void **state)
{
    static const struct {
        uint8_t attributes;
        unsigned size;
        uint8_t burst;
        unsigned want;
    } rows[] = {
        { 3, 8, 0, 8 },          { 3, 1023, 0, 1023 },
        { 3, 1024, 0, 1024 },    { 3, 1025, 0, 1024 },
        { 3, 1024, 1, 0x0c00 },  { 3, 1024, 2, 0x1400 },
        { 3, 1024, 3, 0x1400 },  { 3, 1024, 255, 0x1400 },
        { 3, 0xfc00, 0, 1024 },  { 3, 0xf808, 0, 8 },
        { 2, 1024, 15, 512 },    { 2, 8, 0, 512 },
        { 0, 512, 0, 64 },       { 0x13, 16, 0, 16 },
        { 1, 1024, 15, 0x1400 },
    };
    uint8_t *bytes, buf[64];
    struct xlx__usbd_descriptors d = copy_of("stick", &bytes);
    size_t at = find(&d, 5, 0);
    (void)state;
    for (size_t i = 0; i < SIZE(rows); i++) {
        bytes[at + 3] = rows[i].attributes;
        put16(bytes + at + 4, rows[i].size);
        bytes[at + 7 + 2] = rows[i].burst;
        xlx__usbd_descriptor_at_high(&d, 0x0200, buf, sizeof(buf));
        if ((unsigned)(buf[22] | buf[23] << 8) != rows[i].want)
            fail_msg("row %zu: %x", i, buf[22] | buf[23] << 8);
    }
    /* a companion that is not right behind it is not its own */
    bytes[at + 3] = 3;
    put16(bytes + at + 4, 1024);
    bytes[at + 7 + 1] = 0x24;
    xlx__usbd_descriptor_at_high(&d, 0x0200, buf, sizeof(buf));
    assert_int_equal(buf[22] | buf[23] << 8, 1024);
    free(bytes);
}

static void companions_of_any_length_are_left_out(void **state)
{
    const struct usb_set *stick = usb_set("stick");
    uint8_t buf[64];
    (void)state;
    for (uint8_t length = 2; length <= 6; length++) {
        size_t size = stick->d.length - 6 + length;
        uint8_t *bytes = malloc(size);
        struct xlx__usbd_descriptors d = { bytes, size };
        memcpy(bytes, stick->d.bytes, size);
        bytes[size - length] = length;
        bytes[size - length - 4] = 3; /* an interrupt endpoint */
        put16(bytes + 20, (unsigned)size - 18);
        for (uint8_t type = 0x30; type <= 0x31; type++) {
            bytes[size - length + 1] = type;
            assert_int_equal(xlx__usbd_descriptor_at_high(&d, 0x0200, buf, 64),
                             32);
            /* only a whole one tells how many packets there are */
            assert_int_equal(buf[29] | buf[30] << 8,
                             length == 6 && type == 0x30 ? 0x1400 : 1024);
        }
        free(bytes);
    }
}

/* --- lies ---------------------------------------------------------------- */

/* Of a configuration that ends early counts what came before. */
static void impossible_lengths_end_a_configuration(void **state)
{
    static const uint8_t lengths[] = { 0, 1, 26, 255 }; /* 25 are left */
    uint8_t *bytes, buf[64];
    struct xlx__usbd_descriptors d = copy_of("keyboard", &bytes);
    size_t at = find(&d, 4, 1);
    (void)state;
    assert_int_equal(d.length - at, 25);
    for (size_t i = 0; i < SIZE(lengths); i++) {
        bytes[at] = lengths[i];
        assert_true(malformed(&d));
        assert_interfaces(&d, 1, "0 ");
        assert_null(xlx__usbd_unfit(&d, 1));
        assert_int_equal(
            xlx__usbd_descriptor_at_high(&d, 0x0200, buf, sizeof(buf)), 34);
        assert_int_equal(buf[2], 34);
    }
    free(bytes);
}

/* Two configurations, of which the first one claims more than it has: usbfs has
 * a gap of zeros there, sysfs has not. Or it claims less. */
static void a_wrong_total_length_hides_nothing(void **state)
{
    const struct usb_set *net = usb_set("net");
    uint8_t bytes[512] = { 0 };
    struct xlx__usbd_descriptors d = { bytes, net->d.length };
    (void)state;
    memcpy(bytes, net->d.bytes, net->d.length);
    for (unsigned more = 1; more < 300; more += 23) {
        put16(bytes + 20, 57 + more);
        assert_true(malformed(&d));
        assert_interfaces(&d, 1, "0 ");
        assert_interfaces(&d, 2, "0 1 ");
    }
    for (unsigned more = 1; more < 300; more += 23) {
        memset(bytes, 0, sizeof(bytes));
        memcpy(bytes, net->d.bytes, 18 + 57);
        memcpy(bytes + 18 + 57 + more, net->d.bytes + 18 + 57, 98);
        d.length = net->d.length + more;
        put16(bytes + 20, 57 + more);
        assert_true(malformed(&d));
        assert_interfaces(&d, 1, "0 ");
        assert_interfaces(&d, 2, "0 1 ");
    }
    /* cut in its last descriptor; sysfs has whole ones only */
    memcpy(bytes, net->d.bytes, 18 + 51);
    memcpy(bytes + 18 + 51, net->d.bytes + 18 + 57, 98);
    d.length = net->d.length - 6;
    put16(bytes + 20, 53);
    assert_true(malformed(&d));
    assert_interfaces(&d, 2, "0 1 ");
    /* of less than itself it has nothing but itself */
    memcpy(bytes, net->d.bytes, net->d.length);
    d.length = net->d.length;
    put16(bytes + 20 + 57, 8);
    assert_true(malformed(&d));
    assert_interfaces(&d, 1, "0 ");
    assert_interfaces(&d, 2, "");
    put16(bytes + 20 + 57, 98);
    assert_false(malformed(&d));
}

static void numbers_above_31_are_refused(void **state)
{
    uint8_t *bytes;
    struct xlx__usbd_descriptors d = copy_of("keyboard", &bytes);
    size_t at = find(&d, 4, 1);
    (void)state;
    bytes[at + 2] = 31;
    assert_interfaces(&d, 1, "0 31 ");
    assert_null(xlx__usbd_unfit(&d, 1));
    bytes[at + 2] = 32;
    assert_interfaces(&d, 1, "wrong");
    assert_text("32", xlx__usbd_unfit(&d, 1), "number above 31");
    bytes[at + 2] = 255;
    assert_interfaces(&d, 1, "wrong");
    bytes[at + 2] = 0; /* twice the same */
    assert_interfaces(&d, 1, "0 ");
    bytes[at] = 8; /* too short to be one, and what follows is shifted */
    assert_true(malformed(&d));
    free(bytes);
}

static void there_may_be_32_interfaces(void **state)
{
    uint8_t bytes[18 + 9 + 33 * 9] = { 18, 1, [17] = 1, 9, 2, [23] = 1 };
    struct xlx__usbd_descriptors d = { bytes, sizeof(bytes) };
    uint8_t *intf = malloc(XLX__USBD_INTFS_MAX);
    (void)state;
    put16(bytes + 20, sizeof(bytes) - 18);
    for (uint8_t i = 0; i < 33; i++)
        memcpy(bytes + 27 + i * 9, (uint8_t[]){ 9, 4, (uint8_t)(31 - i % 32) },
               3);
    assert_int_equal(xlx__usbd_interfaces(&d, 1, intf), 32);
    for (uint8_t i = 0; i < 32; i++)
        assert_int_equal(intf[i], 31 - i);
    free(intf);
}

static void endpoints_belong_to_interfaces(void **state)
{
    static const uint8_t stray[] = { 7, 5, 0x81, 1, 0x00, 0x14, 1 };
    const struct usb_set *keyboard = usb_set("keyboard");
    uint8_t bytes[256];
    struct xlx__usbd_descriptors d = { bytes, keyboard->d.length + 7 };
    struct xlx__usbd_needs needs;
    (void)state;
    memcpy(bytes, keyboard->d.bytes, 27);
    memcpy(bytes + 27, stray, 7);
    memcpy(bytes + 34, keyboard->d.bytes + 27, keyboard->d.length - 27);
    put16(bytes + 20, 59 + 7);
    xlx__usbd_needs(&d, &needs);
    assert_true(needs.malformed);
    assert_false(needs.isochronous);
    assert_int_equal(needs.iso_packet_max, 0);
    assert_interfaces(&d, 1, "0 1 ");
}

/* Settings of an interface need not follow each other, nor come once. */
static void settings_are_put_to_their_interface(void **state)
{
    uint8_t *bytes;
    struct xlx__usbd_descriptors d = copy_of("webcam", &bytes);
    struct xlx__usbd_needs needs;
    (void)state;
    /* the second last setting of interface 1 becomes interface 3's */
    bytes[find(&d, 4, 10) + 2] = 3;
    xlx__usbd_needs(&d, &needs);
    assert_int_equal(needs.iso_packet_least, 128);
    /* the first of interface 1, too: now it has 256 at least */
    bytes[find(&d, 4, 2) + 2] = 3;
    xlx__usbd_needs(&d, &needs);
    assert_int_equal(needs.iso_packet_least, 256);
    /* one of no bytes does not count, wherever it is */
    put16(bytes + find(&d, 5, 10) + 4, 0);
    xlx__usbd_needs(&d, &needs);
    assert_int_equal(needs.iso_packet_least, 256);
    free(bytes);
}

static void the_larger_endpoint_counts_in_a_setting(void **state)
{
    uint8_t *bytes;
    struct xlx__usbd_descriptors d = copy_of("bluetooth", &bytes);
    struct xlx__usbd_needs needs;
    (void)state;
    put16(bytes + find(&d, 5, 6) + 4, 1);
    xlx__usbd_needs(&d, &needs);
    assert_int_equal(needs.iso_packet_least, 9);
    put16(bytes + find(&d, 5, 6) + 4, 40);
    xlx__usbd_needs(&d, &needs);
    assert_int_equal(needs.iso_packet_least, 40);
    free(bytes);
}

static void uas_is_of_scsi_and_mass_storage(void **state)
{
    static const uint8_t rows[][3] = {
        { 0x08, 0x06, 0x62 },
        { 0xff, 0x06, 0x62 },
        { 0x08, 0xff, 0x62 },
        { 0x08, 0x06, 0x50 },
    };
    uint8_t *bytes;
    struct xlx__usbd_descriptors d = copy_of("uas-only", &bytes);
    (void)state;
    for (size_t i = 0; i < SIZE(rows); i++) {
        memcpy(bytes + find(&d, 4, 0) + 5, rows[i], 3);
        if (!xlx__usbd_unfit(&d, 5000) != (i > 0))
            fail_msg("row %zu", i);
    }
    free(bytes);
}

static void there_is_something_to_read(void **state)
{
    uint8_t *bytes, buf[64];
    struct xlx__usbd_descriptors d = copy_of("stick", &bytes);
    static const size_t lengths[] = { 0, 1, 17, 18, 26 };
    (void)state;
    for (size_t i = 0; i < SIZE(lengths); i++) {
        d.length = lengths[i];
        assert_text("cut", xlx__usbd_unfit(&d, 480), "can be read");
        assert_true(malformed(&d));
        assert_interfaces(&d, 1, lengths[i] < 18 ? "wrong" : "none");
        assert_int_equal(xlx__usbd_descriptor_at_high(&d, 0x0200, buf, 64),
                         -EPIPE);
    }
    d.length = 62;
    bytes[17] = 2; /* configurations, of which there is one */
    assert_true(malformed(&d));
    assert_null(xlx__usbd_unfit(&d, 5000));
    bytes[17] = 0;
    assert_text("none", xlx__usbd_unfit(&d, 480), "can be read");
    bytes[17] = 1;
    bytes[1] = 2;
    assert_text("no device", xlx__usbd_unfit(&d, 480), "can be read");
    assert_int_equal(xlx__usbd_descriptor_at_high(&d, 0x0100, buf, 64), -EPIPE);
    assert_int_equal(xlx__usbd_descriptor_at_high(&d, 0x0200, buf, 64), -EPIPE);
    free(bytes);
}

/* Each set cut everywhere, and each of its bytes changed. */
static void any_descriptors_are_sound_or_left_out(void **state)
{
    static const uint8_t values[] = { 0, 1, 2, 4, 5, 9, 31, 0x30, 0x7f, 0xff };
    (void)state;
    for (const struct usb_set *s = usb_sets; s->name; s++) {
        uint8_t *bytes;
        struct xlx__usbd_descriptors d = copy_of(s->name, &bytes);
        for (size_t n = 0; n <= d.length; n++)
            LLVMFuzzerTestOneInput(bytes, n);
        for (size_t at = 0; at < d.length; at++) {
            for (size_t i = 0; i < SIZE(values); i++) {
                bytes[at] = values[i];
                LLVMFuzzerTestOneInput(bytes, d.length);
            }
            bytes[at] = s->d.bytes[at];
        }
        free(bytes);
    }
}

#include "fuzz/fuzz-usbd.c"

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(interfaces_are_found),
        cmocka_unit_test(needs_are_found),
        cmocka_unit_test(what_cannot_be_carried_is_refused),
        cmocka_unit_test(the_limit_is_1920_bytes_a_packet),
        cmocka_unit_test(a_stick_becomes_a_high_speed_stick),
        cmocka_unit_test(all_that_is_not_of_superspeed_stays),
        cmocka_unit_test(uas_is_left_out_but_as_setting_0),
        cmocka_unit_test(an_answer_is_as_long_as_there_is_room),
        cmocka_unit_test(a_configuration_may_have_65535_bytes),
        cmocka_unit_test(others_stall_or_are_the_devices),
        cmocka_unit_test(power_is_counted_in_2_ma),
        cmocka_unit_test(packets_are_those_of_high_speed),
        cmocka_unit_test(companions_of_any_length_are_left_out),
        cmocka_unit_test(impossible_lengths_end_a_configuration),
        cmocka_unit_test(a_wrong_total_length_hides_nothing),
        cmocka_unit_test(numbers_above_31_are_refused),
        cmocka_unit_test(there_may_be_32_interfaces),
        cmocka_unit_test(endpoints_belong_to_interfaces),
        cmocka_unit_test(settings_are_put_to_their_interface),
        cmocka_unit_test(the_larger_endpoint_counts_in_a_setting),
        cmocka_unit_test(uas_is_of_scsi_and_mass_storage),
        cmocka_unit_test(there_is_something_to_read),
        cmocka_unit_test(any_descriptors_are_sound_or_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
