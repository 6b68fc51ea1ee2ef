/* Process 1 of a container made with --init: starts the program, passes every signal on to it, reaps whoever is left
 * to process 1, and ends as the program ends.
 *
 *     init [--] PROGRAM [ARGUMENT...]
 *
 * It needs no C library, so that it runs in any image. Signals are blocked and taken one by one with
 * rt_sigtimedwait(2): the kernel discards unblocked ones that process 1 has no handler for, and a handler could only
 * note them. The program gets a process group of its own, in the foreground if there is a terminal, so that job
 * control works and a ctrl-C reaches it once. It is looked up in PATH as execvp(3) does. Exit codes are a shell's:
 * 127 not found, 126 not executable, 128+n killed by signal n.
 */

#if defined(__x86_64__)
enum { WRITE = 1, SIGPROCMASK = 14, IOCTL = 16, CLONE = 56, EXECVE = 59, EXIT = 60, WAIT4 = 61, KILL = 62, SETPGID = 109, GETPID = 39,
       SIGTIMEDWAIT = 128 };
__asm__(".globl _start\n_start: xor %ebp, %ebp\nmov %rsp, %rdi\nand $-16, %rsp\ncall begin\n");

static long call(long number, long a, long b, long c, long d, long e)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                     : "rcx", "r11", "memory");
    return result;
}
#elif defined(__aarch64__)
enum { WRITE = 64, SIGPROCMASK = 135, IOCTL = 29, CLONE = 220, EXECVE = 221, EXIT = 93, WAIT4 = 260, KILL = 129, SETPGID = 154, GETPID = 172,
       SIGTIMEDWAIT = 137 };
__asm__(".globl _start\n_start: mov x29, xzr\nmov x0, sp\nbl begin\n");

static long call(long number, long a, long b, long c, long d, long e)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
    return x0;
}
#else
#error "no system call numbers for this machine"
#endif

enum { ENOENT = 2, EACCES = 13, ENOTDIR = 20, SIGCHLD = 17, SIG_BLOCK = 0, SIG_SETMASK = 2, WNOHANG = 1, TIOCSPGRP = 0x5410,
       MASK_BYTES = 8, PATH_BYTES = 4096 };

static long length(const char *text)
{
    long count = 0;
    while (text[count])
        count++;
    return count;
}

static const char *path_of(char **environment)
{
    for (; *environment; environment++) {
        const char *entry = *environment;
        if (entry[0] == 'P' && entry[1] == 'A' && entry[2] == 'T' && entry[3] == 'H' && entry[4] == '=')
            return entry + 5;
    }
    return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
}

/* Returns only when nothing could be executed: the error that tells most. */
static long execute(char **arguments, char **environment)
{
    char full[PATH_BYTES]; /* on the stack: the program has no writable segment */
    const char *name = arguments[0], *folder, *at;
    long error = ENOENT, size = length(name);

    for (at = name; *at; at++)
        if (*at == '/')
            return -call(EXECVE, (long)name, (long)arguments, (long)environment, 0, 0);
    for (folder = path_of(environment);; folder = at + 1) {
        long used = 0, result;
        for (at = folder; *at && *at != ':'; at++)
            ;
        if (at - folder + size + 2 <= PATH_BYTES) {
            while (folder < at)
                full[used++] = *folder++;
            if (used)
                full[used++] = '/';
            for (long i = 0; i <= size; i++)
                full[used + i] = name[i];
            result = -call(EXECVE, (long)full, (long)arguments, (long)environment, 0, 0);
            if (result != ENOENT && result != ENOTDIR)
                error = result;
        }
        if (!*at)
            return error;
    }
}

static void child(char **arguments, char **environment, unsigned long *mask)
{
    int group = 0;
    long error;

    call(SETPGID, 0, 0, 0, 0, 0);
    group = (int)call(GETPID, 0, 0, 0, 0, 0);
    call(IOCTL, 0, TIOCSPGRP, (long)&group, 0, 0); /* SIGTTOU is blocked; without a terminal nothing happens */
    call(SIGPROCMASK, SIG_SETMASK, (long)mask, 0, MASK_BYTES, 0);
    error = execute(arguments, environment);
    call(WRITE, 2, (long)"exec ", 5, 0, 0);
    call(WRITE, 2, (long)arguments[0], length(arguments[0]), 0, 0);
    if (error == ENOENT)
        call(WRITE, 2, (long)": no such file or directory\n", 28, 0, 0);
    else
        call(WRITE, 2, (long)": cannot be executed\n", 21, 0, 0);
    call(EXIT, error == ENOENT || error == ENOTDIR ? 127 : 126, 0, 0, 0, 0);
}

__attribute__((used)) void begin(long *stack)
{
    long count = *stack;
    char **arguments = (char **)(stack + 2), **environment = (char **)(stack + 2 + count);
    unsigned long all = ~0UL, before = 0;
    long pid;

    if (count > 1 && arguments[0][0] == '-' && arguments[0][1] == '-' && !arguments[0][2]) {
        arguments++;
        count--;
    }
    if (count < 2)
        call(EXIT, 127, 0, 0, 0, 0);
    call(SIGPROCMASK, SIG_BLOCK, (long)&all, (long)&before, MASK_BYTES, 0);
    pid = call(CLONE, SIGCHLD, 0, 0, 0, 0);
    if (pid == 0)
        child(arguments, environment, &before);
    if (pid < 0)
        call(EXIT, 126, 0, 0, 0, 0);
    for (;;) {
        long signal = call(SIGTIMEDWAIT, (long)&all, 0, 0, MASK_BYTES, 0);
        if (signal == SIGCHLD) {
            int status;
            long ended;
            while ((ended = call(WAIT4, -1, (long)&status, WNOHANG, 0, 0)) > 0)
                if (ended == pid)
                    call(EXIT, status & 127 ? 128 + (status & 127) : status >> 8 & 255, 0, 0, 0, 0);
        } else if (signal > 0)
            call(KILL, pid, signal, 0, 0, 0);
    }
}
