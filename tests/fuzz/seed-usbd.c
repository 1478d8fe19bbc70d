/* SPDX-License-Identifier: LGPL-2.1-only */
/* Writes what fuzz-usbd starts from, the descriptors of devices, into a
 * directory. */
#include <stdio.h>

#include "fakes/usb_sets.h"

static int save(const char *dir, const struct usb_set *set)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", dir, set->name);
    FILE *file = fopen(path, "w");
    if (!file || fwrite(set->d.bytes, set->d.length, 1, file) != 1 ||
        fclose(file)) {
        perror(path);
        return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    int failed = argc != 2;
    for (const struct usb_set *s = usb_sets; !failed && s->name; s++)
        failed = save(argv[1], s);
    return failed;
}
