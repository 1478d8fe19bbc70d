/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * hold-disk DEVICE : holds a block device open exclusively, as ZFS or mkfs do,
 * until it is killed. Prints "held" when it has it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    if (argc != 2 || open(argv[1], O_RDONLY | O_EXCL) < 0) {
        perror(argc == 2 ? argv[1] : "hold-disk DEVICE");
        return 1;
    }
    puts("held");
    fflush(stdout);
    pause();
    return 0;
}
