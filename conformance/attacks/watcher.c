/* SPDX-License-Identifier: MIT
 * A process in a container that attacks every other one as soon as it shows in /proc: it looks for a file of the host through root and
 * descriptors, and traces what it may.
 *
 *     watcher CANARY
 *
 * CANARY is the absolute path of a file that only the host has. On SIGTERM, or after half a minute, it prints:
 * `seen N host N traced N capabilities HEX`: processes met; those that led to the canary; those that could be traced while they were
 * not a program of the container yet; all effective capabilities that any of them had. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PIDS = 65536, DESCRIPTORS = 24, LOOKS = 200 };

static const char UP[] = "/../../../../../../../..";
/* How often a process was looked at: it may change between two looks. */
static unsigned char looks[PIDS];
static unsigned char led_out[PIDS];
static int seen, host, traced;
static unsigned long long capabilities;

static volatile sig_atomic_t ended;

static void end(int signal) {
    (void)signal;
    ended = 1;
}

static int exists(const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return 0;
    close(fd);
    return 1;
}

static int leads_out(int pid, const char *canary) {
    char path[4096];
    snprintf(path, sizeof path, "/proc/%d/root%s%s", pid, UP, canary);
    if (exists(path))
        return 1;
    snprintf(path, sizeof path, "/proc/%d/cwd%s%s", pid, UP, canary);
    if (exists(path))
        return 1;
    for (int fd = 0; fd < DESCRIPTORS; fd++) {
        snprintf(path, sizeof path, "/proc/%d/fd/%d%s%s", pid, fd, UP, canary);
        if (exists(path))
            return 1;
    }
    return 0;
}

static void note_capabilities(int pid) {
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE *status = fopen(path, "re");
    if (status == NULL)
        return;
    while (fgets(line, sizeof line, status) != NULL)
        if (strncmp(line, "CapEff:", 7) == 0)
            capabilities |= strtoull(line + 7, NULL, 16);
    fclose(status);
}

/* Is the image the runtime's? A program of the container lies below /bin. */
static int is_runtime(int pid) {
    char path[64], target[512];
    snprintf(path, sizeof path, "/proc/%d/exe", pid);
    ssize_t length = readlink(path, target, sizeof target - 1);
    if (length <= 0)
        return 0;
    target[length] = '\0';
    return strncmp(target, "/bin/", 5) != 0;
}

static int trace(int pid) {
    if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) != 0)
        return 0;
    int caught = is_runtime(pid);
    /* Detaching takes a process that stands still. */
    if (ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) == 0)
        waitpid(pid, NULL, __WALL);
    ptrace(PTRACE_DETACH, pid, NULL, NULL);
    return caught;
}

int main(int argc, char **argv) {
    if (argc != 2)
        return 2;
    const char *canary = argv[1];
    signal(SIGTERM, end);
    signal(SIGALRM, end);
    alarm(30);
    puts("ready");
    fflush(stdout);
    for (int i = 1; i <= getpid(); i++)
        looks[i] = LOOKS; /* those were here before */
    while (!ended) {
        DIR *proc = opendir("/proc");
        if (proc == NULL)
            return 1;
        for (struct dirent *entry; (entry = readdir(proc)) != NULL;) {
            int pid = atoi(entry->d_name);
            if (pid <= 0 || pid >= PIDS || looks[pid] == LOOKS)
                continue;
            if (looks[pid]++ == 0)
                seen++;
            if (!led_out[pid] && leads_out(pid, canary))
                led_out[pid] = 1, host++;
            note_capabilities(pid);
            if (looks[pid] <= 3 && trace(pid))
                traced++;
        }
        closedir(proc);
    }
    printf("seen %d host %d traced %d capabilities %llx\n", seen, host, traced, capabilities);
    return 0;
}
