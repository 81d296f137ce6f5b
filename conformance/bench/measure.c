// SPDX-License-Identifier: MIT
/*
 * Runs a sequence of commands and reports what each one cost, without the measuring program's own start in the figures.
 *
 *   measure [-n RUNS] [-k AT_ONCE] [-e ERRORS] -- COMMAND [ARG]... [+ COMMAND [ARG]...]...
 *
 * A run is the whole sequence. {} in an argument is the run's number. AT_ONCE runs are started by one signal; the next ones follow
 * when all of these have ended. Commands that begin with @ are done by measure itself and are no step:
 *   @wait PIDFILE   waits until the process named in PIDFILE has ended
 *   @memory PIDFILE adds the resident and proportional memory of that process to the report
 *
 * Output, one JSON object per line: for each run {"run":N,"wall":NS,"steps":[{"wall":NS,"user":US,"sys":US,"faults":N,
 * "maxrss":KIB,"status":N}...],"memory":{"rss":KIB,"pss":KIB}}, and for each group of AT_ONCE runs {"group":N,"wall":NS}.
 * A status above 128 is a signal. A run stops at its first step that fails. Stdin of the commands is /dev/null, stdout and stderr are
 * appended to ERRORS (default /dev/null). A command that takes 30 s is killed. Source: getrusage(2), wait4(2): maxrss covers the command and the children it waited for.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_STEPS = 16, MAX_ARGS = 64, WAIT_LIMIT_MS = 30000, COMMAND_LIMIT_S = 120, GATE_US = 20000, COMMAND_NOT_STARTED = 127 };

extern char **environ;

struct step {
    uint64_t wall_ns;
    uint64_t user_us;
    uint64_t sys_us;
    long faults;
    long maxrss_kib;
    int status;
};

struct run {
    uint64_t wall_ns;
    int step_count;
    struct step steps[MAX_STEPS];
    long rss_kib;
    long pss_kib;
};

struct command {
    int argc;
    char *argv[MAX_ARGS];
};

static struct command commands[MAX_STEPS];
static int command_count;
static const char *errors = "/dev/null";
static volatile sig_atomic_t timed_out;

static void __attribute__((format(printf, 1, 2), noreturn)) die(const char *format, ...) {
    va_list args;
    va_start(args, format);
    fputs("measure: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(2);
}

static uint64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static uint64_t microseconds(struct timeval time) {
    return (uint64_t)time.tv_sec * 1000000u + (uint64_t)time.tv_usec;
}

/* Returns `text` with {} replaced by `number`; the caller keeps it until the process ends. */
static char *with_number(const char *text, int number) {
    const char *place = strstr(text, "{}");
    char *result;
    if (place == NULL) {
        return strdup(text);
    }
    if (asprintf(&result, "%.*s%d%s", (int)(place - text), text, number, place + 2) < 0) {
        die("out of memory");
    }
    return result;
}

static pid_t read_pid_file(const char *path) {
    char text[32] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0) {
        die("%s: %s", path, strerror(errno));
    }
    close(fd);
    return (pid_t)atoi(text);
}

/* Waits for the end of a process that is not ours; one that is gone has ended. */
static bool wait_for_end(const char *pid_file) {
    int fd = (int)syscall(SYS_pidfd_open, read_pid_file(pid_file), 0);
    if (fd < 0) {
        return errno == ESRCH;
    }
    struct pollfd ended = {.fd = fd, .events = POLLIN};
    int count = poll(&ended, 1, WAIT_LIMIT_MS);
    close(fd);
    return count == 1;
}

/* Value in KiB of a `Name:   123 kB` line. */
static long read_kib(const char *format, pid_t pid, const char *name) {
    char path[64];
    char line[256];
    long value = 0;
    snprintf(path, sizeof(path), format, pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return 0;
    }
    while (fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0) {
            value = strtol(line + strlen(name), NULL, 10);
            break;
        }
    }
    fclose(file);
    return value;
}

static void note_timeout(int signal) {
    (void)signal;
    timed_out = 1;
}

static struct step run_command(const struct command *command, int number) {
    struct step step = {0};
    char *argv[MAX_ARGS + 1] = {0};
    for (int i = 0; i < command->argc; i++) {
        argv[i] = with_number(command->argv[i], number);
    }
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, errors, O_WRONLY | O_APPEND | O_CREAT, 0600);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);

    pid_t pid;
    struct rusage usage = {0};
    int status = 0;
    timed_out = 0;
    alarm(COMMAND_LIMIT_S);
    uint64_t start = now_ns();
    int error = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
    if (error != 0) {
        fprintf(stderr, "measure: %s: %s\n", argv[0], strerror(error));
        step.status = COMMAND_NOT_STARTED;
    } else {
        while (wait4(pid, &status, 0, &usage) < 0 && errno == EINTR) {
            if (timed_out) {
                kill(pid, SIGKILL);
            }
        }
        step.status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    }
    step.wall_ns = now_ns() - start;
    alarm(0);
    step.user_us = microseconds(usage.ru_utime);
    step.sys_us = microseconds(usage.ru_stime);
    step.faults = usage.ru_minflt + usage.ru_majflt;
    step.maxrss_kib = usage.ru_maxrss;
    posix_spawn_file_actions_destroy(&actions);
    for (int i = 0; i < command->argc; i++) {
        free(argv[i]);
    }
    return step;
}

static void run_sequence(struct run *run, int number) {
    uint64_t start = now_ns();
    for (int i = 0; i < command_count; i++) {
        const struct command *command = &commands[i];
        if (command->argv[0][0] != '@') {
            struct step *step = &run->steps[run->step_count++];
            *step = run_command(command, number);
            if (step->status != 0) {
                break;
            }
            continue;
        }
        char *pid_file = with_number(command->argv[1], number);
        if (strcmp(command->argv[0], "@wait") == 0) {
            if (!wait_for_end(pid_file)) {
                fprintf(stderr, "measure: %s: did not end in %d ms\n", pid_file, WAIT_LIMIT_MS);
            }
        } else {
            uint64_t pause = now_ns();
            pid_t pid = read_pid_file(pid_file);
            run->rss_kib = read_kib("/proc/%d/status", pid, "VmRSS:");
            run->pss_kib = read_kib("/proc/%d/smaps_rollup", pid, "Pss:");
            start += now_ns() - pause;
        }
        free(pid_file);
    }
    run->wall_ns = now_ns() - start;
}

static void print_run(const struct run *run, int number) {
    printf("{\"run\":%d,\"wall\":%llu,\"steps\":[", number, (unsigned long long)run->wall_ns);
    for (int i = 0; i < run->step_count; i++) {
        const struct step *step = &run->steps[i];
        printf("%s{\"wall\":%llu,\"user\":%llu,\"sys\":%llu,\"faults\":%ld,\"maxrss\":%ld,\"status\":%d}",
               i == 0 ? "" : ",", (unsigned long long)step->wall_ns,
               (unsigned long long)step->user_us, (unsigned long long)step->sys_us,
               step->faults, step->maxrss_kib, step->status);
    }
    printf("],\"memory\":{\"rss\":%ld,\"pss\":%ld}}\n", run->rss_kib, run->pss_kib);
}

/* One process per run waits for the end of a pipe, so that all start together. Returns the time from there to the last one's end. */
static uint64_t run_group(struct run *runs, int first, int count) {
    int gate[2];
    if (count == 1) {
        run_sequence(&runs[first], first);
        return runs[first].wall_ns;
    }
    if (pipe2(gate, O_CLOEXEC) < 0) {
        die("pipe: %s", strerror(errno));
    }
    for (int i = 0; i < count; i++) {
        pid_t pid = fork();
        if (pid < 0) {
            die("fork: %s", strerror(errno));
        }
        if (pid == 0) {
            char byte;
            close(gate[1]);
            while (read(gate[0], &byte, 1) < 0 && errno == EINTR) {
            }
            run_sequence(&runs[first + i], first + i);
            _exit(0);
        }
    }
    close(gate[0]);
    usleep(GATE_US); /* all of them read by now */
    uint64_t start = now_ns();
    close(gate[1]);
    while (wait(NULL) > 0 || errno == EINTR) {
    }
    return now_ns() - start;
}

static void parse_commands(char **arguments) {
    command_count = 1;
    for (char **argument = arguments; *argument != NULL; argument++) {
        if (strcmp(*argument, "+") == 0) {
            if (++command_count > MAX_STEPS) {
                die("more than %d commands", MAX_STEPS);
            }
            continue;
        }
        struct command *command = &commands[command_count - 1];
        if (command->argc == MAX_ARGS) {
            die("more than %d arguments", MAX_ARGS);
        }
        command->argv[command->argc++] = *argument;
    }
    for (int i = 0; i < command_count; i++) {
        const struct command *command = &commands[i];
        if (command->argc == 0 || (command->argv[0][0] == '@' && command->argc != 2)) {
            die("command %d is not complete", i + 1);
        }
    }
}

int main(int argc, char **argv) {
    int run_count = 1;
    int at_once = 1;
    int option;
    while ((option = getopt(argc, argv, "+n:k:e:")) != -1) {
        switch (option) {
        case 'n':
            run_count = atoi(optarg);
            break;
        case 'k':
            at_once = atoi(optarg);
            break;
        case 'e':
            errors = optarg;
            break;
        default:
            die("usage: measure [-n RUNS] [-k AT_ONCE] [-e ERRORS] -- COMMAND [ARG]... [+ COMMAND...]");
        }
    }
    if (optind == argc || run_count < 1 || at_once < 1) {
        die("nothing to run");
    }
    parse_commands(argv + optind);
    /* Without SA_RESTART, so that the alarm ends the waiting. */
    const struct sigaction on_alarm = {.sa_handler = note_timeout};
    sigaction(SIGALRM, &on_alarm, NULL);

    struct run *runs = mmap(NULL, sizeof(struct run) * (size_t)run_count, PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (runs == MAP_FAILED) {
        die("mmap: %s", strerror(errno));
    }
    for (int first = 0; first < run_count; first += at_once) {
        int count = run_count - first < at_once ? run_count - first : at_once;
        uint64_t wall = run_group(runs, first, count);
        for (int i = first; i < first + count; i++) {
            print_run(&runs[i], i);
        }
        printf("{\"group\":%d,\"wall\":%llu}\n", first / at_once, (unsigned long long)wall);
        fflush(stdout);
    }
    return 0;
}
