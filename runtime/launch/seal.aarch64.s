# seal.aarch64: run a program from a read-only clone of the mount it lies on. See seal.x86_64.s.
#
#     as -o seal.o seal.aarch64.s && ld -Ttext=0x400000 -o seal seal.o && objcopy -O binary -j .text seal seal.aarch64

        .text
        .global _start
image:
        .byte   0x7f, 'E', 'L', 'F', 2, 1, 1, 0         // 64 bit, little endian
        .quad   0
        .hword  2, 183                                  // ET_EXEC, EM_AARCH64
        .word   1
        .quad   _start
        .quad   segment - image                         // program headers
        .quad   0                                       // no sections
        .word   0
        .hword  64, 56, 2, 0, 0, 0
segment:
        .word   1, 5                                    // PT_LOAD, readable and executable
        .quad   0, image, image
        .quad   end - image, end - image
        .quad   0x10000
        .word   0x6474e551, 6                           // PT_GNU_STACK: not executable
        .quad   0, 0, 0, 0, 0, 16

_start:
        ldr     x19, [sp]                               // argc
        add     x20, sp, 16                             // argv[1] and on: the program's own argv
        add     x21, x20, x19, lsl 3                    // envp
        cmp     x19, 2
        b.lo    fail

        mov     x8, 428                                 // open_tree(AT_FDCWD, program, CLONE | CLOEXEC)
        mov     x0, -100
        ldr     x1, [x20]
        mov     x2, 1
        movk    x2, 8, lsl 16
        svc     0
        tbnz    x0, 63, plain
        mov     x22, x0

        mov     x8, 442                                 // mount_setattr(fd, "", AT_EMPTY_PATH, RDONLY, 32)
        adr     x1, empty
        mov     x2, 0x1000
        adr     x3, read_only
        mov     x4, 32
        svc     0
        tbnz    x0, 63, plain

        mov     x8, 281                                 // execveat(fd, "", argv, envp, AT_EMPTY_PATH)
        mov     x0, x22
        adr     x1, empty
        mov     x2, x20
        mov     x3, x21
        mov     x4, 0x1000
        svc     0
plain:
        mov     x8, 221                                 // execve(program, argv, envp)
        ldr     x0, [x20]
        mov     x1, x20
        mov     x2, x21
        svc     0
fail:
        mov     x8, 93                                  // exit(127)
        mov     x0, 127
        svc     0

        .balign 8
read_only:
        .quad   1, 0, 0, 0                              // struct mount_attr: set MOUNT_ATTR_RDONLY
empty:
        .byte   0
end:
