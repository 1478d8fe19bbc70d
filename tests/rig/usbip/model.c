/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * A device's description: lines of "WHAT BYTE...", in hexadecimal, of which a
 * line that begins with a blank is the continuation; # begins a comment.
 *   device|config|qualifier|bos BYTE...   a descriptor, as it is sent
 *   string N TEXT                         a string descriptor
 *   descriptor TYPE INDEX BYTE...         any other
 *   speed low|full|high|super
 *   endpoint 81=BEHAVIOUR                 see main.c
 * Nothing in it is checked: descriptors may lie.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "usbip.h"

enum { STRING = 3, CONFIG = 2, ENDPOINT = 5 };

static const struct {
    const char *name;
    uint8_t type;
} kinds[] = {
    { "device", 1 }, { "config", CONFIG }, { "qualifier", 6 }, { "bos", 15 }
};

static const struct {
    const char *name;
    enum speed speed;
} speeds[] = {
    { "low", LOW }, { "full", FULL }, { "high", HIGH }, { "super", SUPER }
};

static const char *const behaviours[] = {
    [ORDINARY] = "ordinary", [NUMBER] = "number", [ECHO] = "echo",
    [SHORT] = "short",       [STALL] = "stall",   [HALT] = "halt",
    [HANG] = "hang",         [BABBLE] = "babble"
};

bool model_speed(struct model *model, const char *name)
{
    for (size_t i = 0; i < sizeof(speeds) / sizeof(*speeds); i++)
        if (!strcmp(name, speeds[i].name)) {
            model->speed = speeds[i].speed;
            return true;
        }
    return false;
}

bool model_behave(struct model *model, const char *text)
{
    unsigned int address, argument = 0, index;
    char name[16];

    if (sscanf(text, "%x=%15[a-z]:%u", &address, name, &argument) < 2 ||
        address > 0xff)
        return false;
    index = endpoint_index(address, address & 0x80);
    for (size_t i = 0; i < sizeof(behaviours) / sizeof(*behaviours); i++)
        if (!strcmp(name, behaviours[i])) {
            model->behaviour[index] = (enum behaviour)i;
            model->argument[index] = argument;
            return true;
        }
    return false;
}

const struct descriptor *model_find(const struct model *model, uint8_t type,
                                    uint8_t index)
{
    for (unsigned int i = 0; i < model->used; i++)
        if (model->descriptors[i].type == type &&
            model->descriptors[i].index == index)
            return &model->descriptors[i];
    return NULL;
}

int model_endpoint_type(const struct model *model, unsigned int number, bool in)
{
    const struct descriptor *config = model_find(model, CONFIG, 0);
    unsigned int address = (number & 15) | (in ? 0x80 : 0);

    for (size_t at = 0; config && at + 4 <= config->length;) {
        const uint8_t *part = config->bytes + at;

        if (part[1] == ENDPOINT && part[2] == address)
            return part[3];
        if (!part[0])
            break;
        at += part[0];
    }
    return -1;
}

static struct descriptor *add(struct model *model, unsigned int type,
                              unsigned int index)
{
    struct descriptor *new;

    if (model->used == MAX_DESCRIPTORS)
        return NULL;
    new = &model->descriptors[model->used++];
    new->type = (uint8_t)type;
    new->index = (uint8_t)index;
    return new;
}

static bool append(struct descriptor *to, unsigned int byte)
{
    if (!to || to->length == MAX_DESCRIPTOR || byte > 0xff)
        return false;
    to->bytes[to->length++] = (uint8_t)byte;
    return true;
}

static bool append_bytes(struct descriptor *to, const char *text)
{
    unsigned int byte;
    int used;

    for (; sscanf(text, "%2x%n", &byte, &used) == 1; text += used)
        if (!append(to, byte))
            return false;
    return !text[strspn(text, " \t")];
}

static bool add_string(struct model *model, const char *text)
{
    struct descriptor *new;
    unsigned int index;
    int used;

    if (sscanf(text, "%u %n", &index, &used) != 1 || !index || index > 255)
        return false;
    new = add(model, STRING, index);
    if (!append(new, (unsigned int)(2 + 2 * strlen(text + used))) ||
        !append(new, STRING))
        return false;
    for (text += used; *text; text++)
        if (!append(new, (unsigned char)*text) || !append(new, 0))
            return false;
    return true;
}

static bool add_any(struct model *model, const char *text)
{
    unsigned int type, index;
    int used;

    return sscanf(text, "%x %x%n", &type, &index, &used) == 2 && type < 256 &&
           index < 256 && append_bytes(add(model, type, index), text + used);
}

static bool take_line(struct model *model, const char *line)
{
    char word[16];
    int used;

    if (isspace((unsigned char)*line))
        return model->used &&
               append_bytes(&model->descriptors[model->used - 1], line);
    if (sscanf(line, "%15s %n", word, &used) != 1)
        return false;
    line += used;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        if (!strcmp(word, kinds[i].name))
            return append_bytes(add(model, kinds[i].type, 0), line);
    if (!strcmp(word, "string"))
        return add_string(model, line);
    if (!strcmp(word, "descriptor"))
        return add_any(model, line);
    if (!strcmp(word, "speed"))
        return model_speed(model, line);
    return !strcmp(word, "endpoint") && model_behave(model, line);
}

/* Without the comment, and without blanks at the end. */
static void trim(char *line)
{
    size_t length = strcspn(line, "#\n");

    while (length && isspace((unsigned char)line[length - 1]))
        length--;
    line[length] = '\0';
}

void model_read(struct model *model, const char *path)
{
    static const uint8_t english[] = { 4, STRING, 0x09, 0x04 };
    FILE *file = fopen(path, "r");
    struct descriptor *languages;
    unsigned int number = 0;
    char line[1000];

    memset(model, 0, sizeof(*model));
    model->speed = HIGH;
    if (!file) {
        perror(path);
        exit(2);
    }
    languages = add(model, STRING, 0);
    for (size_t i = 0; i < sizeof(english); i++)
        append(languages, english[i]);
    while (fgets(line, sizeof(line), file)) {
        number++;
        trim(line);
        if (*line && !take_line(model, line)) {
            fprintf(stderr, "%s:%u: not understood: %s\n", path, number, line);
            exit(2);
        }
    }
    fclose(file);
}
