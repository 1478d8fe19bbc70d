/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The text of an intent file. A serial may have any bytes, JSON may not: what
 * does not print, and the backslash, is \xHH in the string.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yajl/yajl_gen.h>
#include <yajl/yajl_tree.h>

#include "core/uuid.h"
#include "usb/device/busid.h"
#include "usb/assign/intent.h"

#define VERSION 1
#define DEPTH_MAX 16                /* yajl recurses; what we write is 4 deep */
#define TEXT_MAX XLX_USB_SERIAL_MAX /* the longest there is */
#define DIGITS "0123456789abcdef"

_Static_assert(TEXT_MAX >= XLX_GUEST_NAME_MAX &&
                   TEXT_MAX >= XLX_USB_CONTROLLER_MAX,
               "any text fits");

/* --- writing -------------------------------------------------------------- */

static void put_string(yajl_gen g, const char *text)
{
    yajl_gen_string(g, (const unsigned char *)text, strlen(text));
}

static void put_escaped(yajl_gen g, const char *key, const char *value)
{
    char text[4 * TEXT_MAX], *to = text;
    for (const unsigned char *p = (const unsigned char *)value; *p; p++)
        if (*p < ' ' || *p > '~' || *p == '\\')
            to += sprintf(to, "\\x%02x", *p);
        else
            *to++ = (char)*p;
    *to = '\0';
    put_string(g, key);
    put_string(g, text);
}

static void put_hex(yajl_gen g, const char *key, uint16_t value)
{
    char text[8];
    snprintf(text, sizeof(text), "%04x", value);
    put_string(g, key);
    put_string(g, text);
}

static void put_place(yajl_gen g, const char *key, uint32_t value)
{
    if (value == XLX_USB_ANY)
        return;
    put_string(g, key);
    yajl_gen_integer(g, value);
}

static void put_face(yajl_gen g, const struct xlx_usb_face *face)
{
    put_string(g, face->whole ? "all_interfaces" : "interfaces");
    yajl_gen_array_open(g);
    for (uint32_t i = 0; i < face->nr_classes; i++)
        put_string(g, face->classes[i]);
    yajl_gen_array_close(g);
}

static void put_faces(yajl_gen g, const struct xlx_usb_identity *id)
{
    if (id->nr_faces < 2)
        return;
    put_string(g, "or");
    yajl_gen_array_open(g);
    for (uint32_t i = 1; i < id->nr_faces; i++) {
        yajl_gen_map_open(g);
        put_face(g, &id->face[i]);
        yajl_gen_map_close(g);
    }
    yajl_gen_array_close(g);
}

static void put_what(yajl_gen g, const struct xlx_usb_identity *id)
{
    put_hex(g, "vendor", id->vendor);
    put_hex(g, "product", id->product);
    put_escaped(g, "serial", id->serial);
    put_face(g, &id->face[0]);
    put_faces(g, id);
}

/* What is not so is left out. */
static void put_true(yajl_gen g, const char *key, bool value)
{
    if (!value)
        return;
    put_string(g, key);
    yajl_gen_bool(g, true);
}

static void put_wish(yajl_gen g, const struct xlx__intent_wish *wish)
{
    const struct xlx_usb_identity *id = &wish->identity;
    yajl_gen_map_open(g);
    put_string(g, "identity");
    yajl_gen_map_open(g);
    put_escaped(g, "busid", id->busid);
    if (id->controller[0])
        put_escaped(g, "host_controller", id->controller);
    put_true(g, "by_place", id->by_place);
    put_true(g, "hub", id->by_place && id->hub);
    if (!id->by_place)
        put_what(g, id);
    yajl_gen_map_close(g);
    put_string(g, "required");
    yajl_gen_bool(g, wish->required);
    put_true(g, "once", wish->once);
    put_true(g, "force", wish->force);
    put_place(g, "controller", wish->place.hc);
    put_place(g, "port", wish->place.port);
    yajl_gen_map_close(g);
}

static void put_intent(yajl_gen g, const struct xlx__intent *intent)
{
    yajl_gen_map_open(g);
    put_string(g, "version");
    yajl_gen_integer(g, VERSION);
    put_escaped(g, "name", intent->name);
    put_escaped(g, "uuid", intent->uuid);
    put_string(g, "devices");
    yajl_gen_array_open(g);
    for (uint32_t i = 0; i < intent->nr_wishes; i++)
        put_wish(g, &intent->wish[i]);
    yajl_gen_array_close(g);
    yajl_gen_map_close(g);
}

char *xlx__intent_json(const struct xlx__intent *intent)
{
    const unsigned char *text;
    size_t len;
    char *copy = NULL;
    yajl_gen g = yajl_gen_alloc(NULL);
    if (!g)
        return NULL;
    yajl_gen_config(g, yajl_gen_beautify, 1);
    put_intent(g, intent);
    if (yajl_gen_get_buf(g, &text, &len) == yajl_gen_status_ok && len)
        copy = strndup((const char *)text, len);
    yajl_gen_free(g);
    return copy;
}

/* --- reading -------------------------------------------------------------- */

static yajl_val get(yajl_val map, const char *key)
{
    const char *path[] = { key, NULL };
    return yajl_tree_get(map, path, yajl_t_any);
}

static int hex_value(char c)
{
    const char *hit = c ? strchr(DIGITS, c) : NULL;
    return hit ? (int)(hit - DIGITS) : -1;
}

/* The number of hexadecimal digits at the start of `text` is `nr` or it is
 * none. */
static bool read_hex(const char *text, int nr, unsigned *value_r)
{
    *value_r = 0;
    for (int i = 0; i < nr; i++) {
        int digit = hex_value(text[i]);
        if (digit < 0)
            return false;
        *value_r = *value_r * 16 + (unsigned)digit;
    }
    return true;
}

static bool get_escaped(yajl_val map, const char *key, char *to, size_t size)
{
    const char *from = YAJL_GET_STRING(get(map, key));
    unsigned byte;
    if (!from)
        return false;
    for (; *from && size > 1; size--) {
        if (*from != '\\') {
            *to++ = *from++;
            continue;
        }
        if (from[1] != 'x' || !read_hex(from + 2, 2, &byte) || !byte)
            return false;
        *to++ = (char)byte;
        from += 4;
    }
    *to = '\0';
    return !*from;
}

static bool get_id(yajl_val map, const char *key, uint16_t *value_r)
{
    const char *text = YAJL_GET_STRING(get(map, key));
    unsigned value;
    if (!text || strlen(text) != 4 || !read_hex(text, 4, &value))
        return false;
    *value_r = (uint16_t)value;
    return true;
}

static bool get_face(yajl_val map, struct xlx_usb_face *face)
{
    yajl_val list = get(map, "all_interfaces");
    unsigned value;
    face->whole = list != NULL;
    if (!list)
        list = get(map, "interfaces");
    if (!YAJL_IS_ARRAY(list) || list->u.array.len > XLX_USB_CLASSES_MAX)
        return false;
    for (size_t i = 0; i < list->u.array.len; i++) {
        const char *text = YAJL_GET_STRING(list->u.array.values[i]);
        if (!text || strlen(text) != 6 || !read_hex(text, 6, &value))
            return false;
        strcpy(face->classes[i], text);
    }
    face->nr_classes = (uint32_t)list->u.array.len;
    return true;
}

static bool get_faces(yajl_val map, struct xlx_usb_identity *id)
{
    yajl_val list = get(map, "or");
    id->nr_faces = 1;
    if (!get_face(map, &id->face[0]) || (list && !YAJL_IS_ARRAY(list)))
        return false;
    for (size_t i = 0; list && i < list->u.array.len; i++)
        if (id->nr_faces == XLX_USB_FACES_MAX ||
            !get_face(list->u.array.values[i], &id->face[id->nr_faces++]))
            return false;
    return true;
}

/* Absent is any. */
static bool get_place(yajl_val map, const char *key, uint32_t min, uint32_t max,
                      uint32_t *value_r)
{
    yajl_val v = get(map, key);
    *value_r = XLX_USB_ANY;
    if (!v)
        return true;
    if (!YAJL_IS_INTEGER(v) || YAJL_GET_INTEGER(v) < (long long)min ||
        YAJL_GET_INTEGER(v) > (long long)max)
        return false;
    *value_r = (uint32_t)YAJL_GET_INTEGER(v);
    return true;
}

static const char *read_what(yajl_val identity, struct xlx_usb_identity *id)
{
    id->by_place = YAJL_IS_TRUE(get(identity, "by_place"));
    id->hub = id->by_place && YAJL_IS_TRUE(get(identity, "hub"));
    if (id->by_place)
        return NULL;
    if (!get_id(identity, "vendor", &id->vendor) ||
        !get_id(identity, "product", &id->product))
        return "a device's vendor or product";
    if (!get_escaped(identity, "serial", id->serial, sizeof(id->serial)))
        return "a device's serial";
    return get_faces(identity, id) ? NULL : "a device's interfaces";
}

/* Absent is false. */
static bool get_bool(yajl_val map, const char *key, bool *value_r)
{
    yajl_val v = get(map, key);
    *value_r = YAJL_IS_TRUE(v);
    return !v || YAJL_IS_TRUE(v) || YAJL_IS_FALSE(v);
}

static const char *read_wish(yajl_val map, struct xlx__intent_wish *wish)
{
    yajl_val identity = get(map, "identity");
    struct xlx_usb_identity *id = &wish->identity;
    if (!YAJL_IS_OBJECT(identity))
        return "a device without identity";
    if (!get_escaped(identity, "busid", id->busid, sizeof(id->busid)) ||
        !xlx__busid_valid(id->busid))
        return "a device's busid";
    if (get(identity, "host_controller") &&
        !get_escaped(identity, "host_controller", id->controller,
                     sizeof(id->controller)))
        return "a device's host_controller";
    const char *why = read_what(identity, id);
    if (why)
        return why;
    if (!get_bool(map, "required", &wish->required))
        return "a device's required";
    if (!get_bool(map, "once", &wish->once))
        return "a device's once";
    if (!get_bool(map, "force", &wish->force))
        return "a device's force";
    if (!get_place(map, "controller", 0, UINT16_MAX, &wish->place.hc) ||
        !get_place(map, "port", 1, XLX_USB_PORTS_MAX, &wish->place.port) ||
        (wish->place.hc == XLX_USB_ANY && wish->place.port != XLX_USB_ANY))
        return "a device's controller or port";
    return NULL;
}

static const char *read_intent(yajl_val tree, struct xlx__intent *intent)
{
    yajl_val version = get(tree, "version"), list = get(tree, "devices");
    if (!YAJL_IS_OBJECT(tree))
        return "not an object";
    if (!YAJL_IS_INTEGER(version) || YAJL_GET_INTEGER(version) != VERSION)
        return "a version that this program does not know";
    if (!get_escaped(tree, "uuid", intent->uuid, sizeof(intent->uuid)) ||
        !xlx__uuid_valid(intent->uuid))
        return "its uuid";
    if (!get_escaped(tree, "name", intent->name, sizeof(intent->name)))
        return "its name";
    if (!YAJL_IS_ARRAY(list) || list->u.array.len > XLX_USB_ASSIGNMENTS_MAX)
        return "its devices: not a list, or a longer one than there may be";
    const char *why = NULL;
    for (size_t i = 0; !why && i < list->u.array.len; i++)
        why = read_wish(list->u.array.values[i], &intent->wish[i]);
    intent->nr_wishes = (uint32_t)list->u.array.len;
    return why;
}

/* From the quote that opens a string to the one that closes it, or the end. */
static const char *skip_string(const char *p)
{
    while (*++p && *p != '"')
        if (*p == '\\' && p[1])
            p++;
    return p;
}

static bool too_deep(const char *text)
{
    int depth = 0;
    for (const char *p = text; *p && depth <= DEPTH_MAX; p++) {
        if (*p == '"' && !*(p = skip_string(p)))
            break;
        depth += *p == '[' || *p == '{';
        depth -= *p == ']' || *p == '}';
    }
    return depth > DEPTH_MAX;
}

const char *xlx__intent_parse(const char *text, struct xlx__intent *intent_r)
{
    memset(intent_r, 0, sizeof(*intent_r));
    yajl_val tree = too_deep(text) ? NULL : yajl_tree_parse(text, NULL, 0);
    if (!tree)
        return "not JSON";
    const char *why = read_intent(tree, intent_r);
    yajl_tree_free(tree);
    return why;
}
