/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The protected mode part of a Linux boot image that holds no kernel: the
 * device model has already put the unpacked kernel and the initial ramdisk
 * into the guest's memory, and this only goes there.
 *
 * An HVM guest's firmware reads a kernel byte by byte through an emulated
 * port, which takes 2.5 s a MiB in the rig; the setup code in front of this
 * and this together are 20 KiB.
 *
 * Entered by the setup code as the 32-bit boot protocol says: flat segments,
 * no paging, %esi the boot parameters. Goes on as the 64-bit boot protocol
 * says: long mode, memory mapped one to one, %rsi the boot parameters.
 */
#define RAMDISK_IMAGE 0x218
#define RAMDISK_SIZE 0x21c

#define PML4 0x110000
#define PDPT 0x111000
#define PD 0x112000 /* four pages: 4 GiB */

#define EFER 0xc0000080
#define EFER_LME (1 << 8)
#define CR0_PG (1 << 31)
#define CR4_PAE (1 << 5)

        .text
        .code32
        .globl _start
_start:
        cli
        cld
        movl    $INITRD_ADDRESS, RAMDISK_IMAGE(%esi)
        movl    $INITRD_SIZE, RAMDISK_SIZE(%esi)

        movl    $PML4, %edi
        xorl    %eax, %eax
        movl    $(6 * 4096 / 4), %ecx
        rep stosl
        movl    $(PDPT | 3), PML4
        movl    $(PD | 3), %eax
        movl    $PDPT, %edi
1:      movl    %eax, (%edi)
        addl    $4096, %eax
        addl    $8, %edi
        cmpl    $(PDPT + 4 * 8), %edi
        jb      1b
        movl    $0x83, %eax             /* present, writable, 2 MiB */
        movl    $PD, %edi
2:      movl    %eax, (%edi)
        addl    $8, %edi
        addl    $0x200000, %eax
        jnc     2b

        movl    %cr4, %eax
        orl     $CR4_PAE, %eax
        movl    %eax, %cr4
        movl    $PML4, %eax
        movl    %eax, %cr3
        movl    $EFER, %ecx
        rdmsr
        orl     $EFER_LME, %eax
        wrmsr
        lgdt    gdt_register
        movl    %cr0, %eax
        orl     $CR0_PG, %eax
        movl    %eax, %cr0
        ljmp    $0x10, $long_mode

        .code64
long_mode:
        movl    $0x18, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
        movl    %esi, %esi
        movl    $KERNEL_ENTRY, %eax
        jmp     *%rax

        .balign 8
gdt:    .quad   0
        .quad   0
        .quad   0x00af9a000000ffff      /* 0x10: 64-bit code */
        .quad   0x00cf92000000ffff      /* 0x18: data */
gdt_register:
        .word   . - gdt - 1
        .long   gdt
