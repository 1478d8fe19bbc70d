/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * usb-try COMMAND ARGUMENT... : what cases do with a USB device, in a guest or
 * in dom0, through usbfs; static, for a guest without anything. DEVICE is a
 * busid or vendor:product, ENDPOINT an address in hexadecimal (81).
 */
#include <stdio.h>
#include <string.h>

#include "usbfs.h"

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *usage;
} commands[] = {
    { "play", play,
      "DEVICE ENDPOINT SECONDS      isochronous, 48 kHz stereo, each frame "
      "its own number" },
    { "heard", heard,
      "WAV SECONDS                  that all of it was recorded" },
    { "listen", listen_to,
      "DEVICE ENDPOINT PACKETS LENGTH PACKETS-A-REQUEST REQUESTS\n"
      "        isochronous, numbered packets; counts those that were lost" },
    { "unlink", unlink_all,
      "DEVICE ENDPOINT REQUESTS LENGTH   submits and discards: one answer "
      "each" },
    { "bulk", bulk,
      "DEVICE ENDPOINT BYTES LENGTH REQUESTS   a numbered stream, in or out" },
    { "echo", echo, "DEVICE IN OUT BYTES LENGTH   there and back" },
    { "ask", ask,
      "DEVICE IN OUT HEX [N]        one transfer out, one or N in" },
    { "control", control,
      "DEVICE SETUP [HEX]           a request to endpoint 0" },
    { "hold", hold,
      "DEVICE IN                    claims its interface until it is killed" },
    { "line", line,
      "TTY BYTES LENGTH             there and back on a serial line" },
    { "gone", gone,
      "                             tells of devices that come and go" },
    { "rate", rate, "DISK read|write SIZE DEPTH SECONDS   requests of a disk" },
};

int main(int argc, char **argv)
{
    size_t n = sizeof(commands) / sizeof(*commands);
    int rc = 2;

    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; argc > 1 && i < n; i++)
        if (!strcmp(argv[1], commands[i].name)) {
            rc = commands[i].run(argc - 2, argv + 2);
            if (rc == 2)
                fprintf(stderr, "usage: usb-try %s %s\n", commands[i].name,
                        commands[i].usage);
            return rc;
        }
    for (size_t i = 0; i < n; i++)
        fprintf(stderr, "usb-try %s %s\n", commands[i].name, commands[i].usage);
    return rc;
}
