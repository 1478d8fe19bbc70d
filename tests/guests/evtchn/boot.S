/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * From Xen's PVH entry to start() in long mode, memory mapped one to one, and
 * the interrupt stubs. Every vCPU has a stack of STACK_SIZE, aligned to it,
 * whose lowest word points to its struct cpu.
 */
#define STACK_SIZE 0x8000
#define CR0 0x80000013 /* PG, ET, MP, PE */
#define CR4 0x620      /* PAE, and SSE, which is never used */
#define EFER 0xc0000080
#define EFER_LME (1 << 8)
#define CODE 8
#define DATA 16

        .section .note, "a", @note
        .long   4, 4, 18 /* XEN_ELFNOTE_PHYS32_ENTRY */
        .asciz  "Xen"
        .long   entry32

        .text
        .code32
        .globl  entry32
entry32:
        cli
        cld
        movl    %ebx, %esi /* hvm_start_info */
        movl    $pml4, %edi
        movl    $(6 * 4096 / 4), %ecx
        xorl    %eax, %eax
        rep stosl
        movl    $pdpt + 3, pml4
        movl    $pdpt, %edi
        movl    $pd + 3, %eax
1:      movl    %eax, (%edi)
        addl    $8, %edi
        addl    $4096, %eax
        cmpl    $pd + 3 + 4 * 4096, %eax
        jne     1b
        movl    $pd, %edi
        movl    $0x83, %eax /* 2 MiB, writable, present */
2:      movl    %eax, (%edi)
        addl    $8, %edi
        addl    $0x200000, %eax
        jnc     2b

        movl    $CR4, %eax
        movl    %eax, %cr4
        movl    $pml4, %eax
        movl    %eax, %cr3
        movl    $EFER, %ecx
        rdmsr
        orl     $EFER_LME, %eax
        wrmsr
        movl    $CR0, %eax
        movl    %eax, %cr0
        lgdt    gdt_pointer
        ljmp    $CODE, $3f

        .code64
3:      movl    $DATA, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
        movl    $stacks + STACK_SIZE, %esp
        movl    %esi, %edi
        call    start
4:      hlt
        jmp     4b

/* Another vCPU: 64-bit, no descriptors yet, %rsp the end of its stack. */
        .globl  entry_ap
entry_ap:
        lgdt    gdt_pointer
        pushq   $CODE
        pushq   $5f
        lretq
5:      movl    $DATA, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
        call    start_ap
6:      hlt
        jmp     6b

/* One stub a vector, STUB_SIZE apart: idt_init() counts on that. */
        .globl  stubs
        .balign 16
stubs:
        .set    vector, 0
        .rept   256
        .balign 16
        .if     !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17)
        pushq   $0 /* in place of the error code */
        .endif
        pushq   $vector
        jmp     interrupt
        .set    vector, vector + 1
        .endr

interrupt:
        pushq   %rax
        pushq   %rcx
        pushq   %rdx
        pushq   %rsi
        pushq   %rdi
        pushq   %r8
        pushq   %r9
        pushq   %r10
        pushq   %r11
        pushq   %rbx
        pushq   %rbp
        cld
        movq    %rsp, %rbp
        movl    11 * 8(%rbp), %edi
        movq    12 * 8(%rbp), %rsi /* error code */
        movq    13 * 8(%rbp), %rdx /* %rip */
        andq    $-16, %rsp
        call    interrupted
        movq    %rbp, %rsp
        popq    %rbp
        popq    %rbx
        popq    %r11
        popq    %r10
        popq    %r9
        popq    %r8
        popq    %rdi
        popq    %rsi
        popq    %rdx
        popq    %rcx
        popq    %rax
        addq    $16, %rsp
        iretq

        .section .data
        .balign 16
gdt:
        .quad   0
        .quad   0x00af9b000000ffff
        .quad   0x00cf93000000ffff
gdt_pointer:
        .word   . - gdt - 1
        .quad   gdt

        .section .bss
        .balign 4096
        .globl  hypercall_page, shared_info, stacks, pml4
hypercall_page: .skip 4096
shared_info:    .skip 4096
pml4:           .skip 4096
pdpt:           .skip 4096
pd:             .skip 4 * 4096
        .balign STACK_SIZE
stacks:         .skip 8 * STACK_SIZE

        .section .note.GNU-stack, "", @progbits
