# seal.x86_64: run a program from a read-only clone of the mount it lies on.
#
#     seal.x86_64 PROGRAM [ARGUMENT...]
#
# The clone is attached nowhere and has no other user, so nobody who gets hold of /proc/PID/exe can ever write to the
# program's file through it (CVE-2019-5736). runtime/seal.py does the same by starting the interpreter a second time,
# which costs 15 ms; this costs 0.1. Where the kernel refuses (no root, older than 5.12) the program runs as it is.
#
# The file is its own ELF image, header and all, so that its bytes do not depend on a linker:
#
#     as -o seal.o seal.x86_64.s && ld -Ttext=0x400000 -o seal seal.o && objcopy -O binary -j .text seal seal.x86_64
#
# tests/unit/runtime/test_launch.py does that and compares.

        .text
        .global _start
image:
        .byte   0x7f, 'E', 'L', 'F', 2, 1, 1, 0         # 64 bit, little endian
        .quad   0
        .word   2, 62                                   # ET_EXEC, EM_X86_64
        .long   1
        .quad   _start
        .quad   segment - image                         # program headers
        .quad   0                                       # no sections
        .long   0
        .word   64, 56, 2, 0, 0, 0
segment:
        .long   1, 5                                    # PT_LOAD, readable and executable
        .quad   0, image, image
        .quad   end - image, end - image
        .quad   0x1000
        .long   0x6474e551, 6                           # PT_GNU_STACK: not executable
        .quad   0, 0, 0, 0, 0, 16

_start:
        mov     (%rsp), %rbx                            # argc
        lea     16(%rsp), %r12                          # argv[1] and on: the program's own argv
        lea     16(%rsp,%rbx,8), %r13                   # envp
        cmp     $2, %rbx
        jb      fail

        mov     $428, %eax                              # open_tree(AT_FDCWD, program, CLONE | CLOEXEC)
        mov     $-100, %rdi
        mov     (%r12), %rsi
        mov     $0x80001, %edx
        syscall
        test    %rax, %rax
        js      plain
        mov     %rax, %r14

        mov     $442, %eax                              # mount_setattr(fd, "", AT_EMPTY_PATH, RDONLY, 32)
        mov     %r14, %rdi
        lea     empty(%rip), %rsi
        mov     $0x1000, %edx
        lea     read_only(%rip), %r10
        mov     $32, %r8d
        syscall
        test    %rax, %rax
        js      plain

        mov     $322, %eax                              # execveat(fd, "", argv, envp, AT_EMPTY_PATH)
        mov     %r14, %rdi
        lea     empty(%rip), %rsi
        mov     %r12, %rdx
        mov     %r13, %r10
        mov     $0x1000, %r8d
        syscall
plain:
        mov     $59, %eax                               # execve(program, argv, envp)
        mov     (%r12), %rdi
        mov     %r12, %rsi
        mov     %r13, %rdx
        syscall
fail:
        mov     $60, %eax                               # exit(127)
        mov     $127, %edi
        syscall

        .balign 8
read_only:
        .quad   1, 0, 0, 0                              # struct mount_attr: set MOUNT_ATTR_RDONLY
empty:
        .byte   0
end:
