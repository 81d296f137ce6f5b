/* Runs a program, and kills its first child as soon as that has a child itself: what the OOM killer does to a process that a runtime has
 * started in a full container. Ends as the program does. Source: ptrace(2).
 *
 *   killed-at-birth PROGRAM ARGUMENT...
 */
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

/* What fails is about a process that has ended meanwhile: waitpid tells of it. */
static long ask(int request, pid_t pid, long data) {
    return ptrace(request, pid, NULL, (void *)data);
}

int main(int argc, char **argv) {
    if (argc < 2) errx(1, "usage: see the source");
    pid_t program = fork(), child = 0;
    if (program == 0) {
        if (ask(PTRACE_TRACEME, 0, 0) < 0) err(1, "PTRACE_TRACEME");
        raise(SIGSTOP);
        execvp(argv[1], argv + 1);
        err(1, "%s", argv[1]);
    }
    int status, killed = 0;
    if (waitpid(program, &status, 0) < 0) err(1, "waitpid");
    if (ask(PTRACE_SETOPTIONS, program, PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE) < 0) err(1, "PTRACE_SETOPTIONS");
    ask(PTRACE_CONT, program, 0);
    for (pid_t pid; (pid = waitpid(-1, &status, __WALL)) > 0;) {
        if (!WIFSTOPPED(status)) {
            if (pid != program) continue;
            if (!killed) errx(1, "the program's child has had no child");
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        }
        unsigned long born = 0;
        if (status >> 16 != 0) ask(PTRACE_GETEVENTMSG, pid, (long)&born);
        if (pid == program && child == 0 && born != 0) child = (pid_t)born;
        if (pid == child && born != 0) {
            killed = 1;
            kill(child, SIGKILL);
            continue;
        }
        int signal = WSTOPSIG(status) == SIGSTOP || WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
        ask(PTRACE_CONT, pid, signal);
    }
    err(1, "waitpid");
}
