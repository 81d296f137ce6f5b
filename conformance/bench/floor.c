// SPDX-License-Identifier: MIT
/*
 * The floor of the benchmark: the system calls that the bundle of the benchmark asks for, and nothing else. No configuration is read,
 * nothing is checked, errors end the program. Not a container runtime: what it does is fixed to the default config of `reg spec`.
 *
 *   floor STATE run    ID ROOTFS PROGRAM [ARG]...
 *   floor STATE create ID ROOTFS PROGRAM [ARG]...     waits in init for the fifo, as `create` of the OCI specification does
 *   floor STATE start|state|kill|delete ID
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_CGROUPS = 16, LAST_CAPABILITY = 40, EXEC_FAILED = 127 };

static char cgroup_names[MAX_CGROUPS][32]; /* cpu, memory, ...; v2: one, the empty name */
static int cgroup_count;
static int is_v2;
static char state[256];
static char container[384]; /* STATE/ID */
static char id[128];

static void check(int result, const char *what) {
    if (result < 0) {
        perror(what);
        exit(1);
    }
}

/* snprintf that ends the program when the result does not fit. */
static void __attribute__((format(printf, 3, 4))) format_text(char *text, size_t size, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int length = vsnprintf(text, size, format, args);
    va_end(args);
    if ((size_t)length >= size) {
        fputs("floor: a text is too long\n", stderr);
        exit(1);
    }
}

static void write_file(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    check(fd, path);
    check((int)write(fd, text, strlen(text)), path);
    close(fd);
}

/* Which hierarchies are mounted below /sys/fs/cgroup: what every runtime has to find out too. */
static void find_cgroups(void) {
    char line[1024];
    FILE *mounts = fopen("/proc/self/mounts", "re");
    if (mounts == NULL) {
        check(-1, "/proc/self/mounts");
    }
    while (fgets(line, sizeof(line), mounts) != NULL) {
        char target[256];
        char type[32];
        if (sscanf(line, "%*s %255s %31s", target, type) != 2) {
            continue;
        }
        if (strcmp(type, "cgroup") == 0 && cgroup_count < MAX_CGROUPS) {
            format_text(cgroup_names[cgroup_count++], sizeof(cgroup_names[0]), "%s", strrchr(target, '/') + 1);
        } else if (strcmp(type, "cgroup2") == 0 && strcmp(target, "/sys/fs/cgroup") == 0) {
            is_v2 = 1;
            cgroup_names[cgroup_count++][0] = '\0';
        }
    }
    fclose(mounts);
}

static void cgroup_path(char *path, size_t size, int index, const char *file) {
    format_text(path, size, "/sys/fs/cgroup/%s%s%s%s%s", cgroup_names[index], is_v2 ? "" : "/", id, *file ? "/" : "", file);
}

static void make_cgroups(void) {
    char path[512];
    for (int i = 0; i < cgroup_count; i++) {
        cgroup_path(path, sizeof(path), i, "");
        check(mkdir(path, 0755), path);
        if (strcmp(cgroup_names[i], "cpuset") == 0) {
            /* A cpuset takes no process before it has CPUs and memory nodes. */
            cgroup_path(path, sizeof(path), i, "cpuset.cpus");
            char cpus[256] = "";
            int fd = open("/sys/fs/cgroup/cpuset/cpuset.cpus", O_RDONLY | O_CLOEXEC);
            if (read(fd, cpus, sizeof(cpus) - 1) > 0) {
                write_file(path, cpus);
            }
            close(fd);
            cgroup_path(path, sizeof(path), i, "cpuset.mems");
            write_file(path, "0");
        }
        if (strcmp(cgroup_names[i], "devices") == 0) {
            static const char *const allowed[] = {"c *:* m",  "b *:* m",  "c 1:3 rwm", "c 1:8 rwm",   "c 1:7 rwm", "c 5:0 rwm",
                                                  "c 1:5 rwm", "c 1:9 rwm", "c 5:1 rwm", "c 136:* rwm", "c 5:2 rwm"};
            cgroup_path(path, sizeof(path), i, "devices.deny");
            write_file(path, "a");
            cgroup_path(path, sizeof(path), i, "devices.allow");
            int allow = open(path, O_WRONLY | O_CLOEXEC);
            for (size_t rule = 0; rule < sizeof(allowed) / sizeof(allowed[0]); rule++) {
                check((int)write(allow, allowed[rule], strlen(allowed[rule])), path);
            }
            close(allow);
        }
    }
}

/*
 * cgroup v1: a thread that moves itself through `tasks` needs no lock on all threads of the machine. Through cgroup.procs it does, and the
 * kernel waits for an RCU grace period to take it: 10 ms on an idle machine. v2: clone3 starts the process in its cgroup.
 */
static void join_cgroups(void) {
    char path[512];
    for (int i = 0; i < cgroup_count && !is_v2; i++) {
        cgroup_path(path, sizeof(path), i, "tasks");
        write_file(path, "0");
    }
}

static void remove_cgroups(void) {
    char path[512];
    for (int i = 0; i < cgroup_count; i++) {
        cgroup_path(path, sizeof(path), i, "");
        check(rmdir(path), path);
    }
}

static void add_mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data) {
    check(mkdir(target, 0755) < 0 && errno != EEXIST ? -1 : 0, target);
    check(mount(source, target, type, flags, data), target);
}

static void mount_cgroups(void) {
    const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
    char path[512];
    if (is_v2) {
        add_mount("cgroup", "sys/fs/cgroup", "cgroup2", flags | MS_RDONLY, NULL);
        return;
    }
    add_mount("tmpfs", "sys/fs/cgroup", "tmpfs", flags, "mode=755");
    for (int i = 0; i < cgroup_count; i++) {
        const char *name = cgroup_names[i];
        format_text(path, sizeof(path), "sys/fs/cgroup/%s", name);
        add_mount("cgroup", path, "cgroup", flags | MS_RDONLY, strcmp(name, "systemd") == 0 ? "none,name=systemd" : name);
    }
    check(mount(NULL, "sys/fs/cgroup", NULL, flags | MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), "sys/fs/cgroup");
}

static void make_devices(void) {
    static const struct {
        const char *path;
        unsigned major;
        unsigned minor;
    } devices[] = {{"dev/null", 1, 3}, {"dev/zero", 1, 5}, {"dev/full", 1, 7}, {"dev/random", 1, 8}, {"dev/urandom", 1, 9}, {"dev/tty", 5, 0}};
    static const char *const links[][2] = {{"/proc/self/fd", "dev/fd"},
                                           {"/proc/self/fd/0", "dev/stdin"},
                                           {"/proc/self/fd/1", "dev/stdout"},
                                           {"/proc/self/fd/2", "dev/stderr"},
                                           {"pts/ptmx", "dev/ptmx"}};
    for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
        check(mknod(devices[i].path, S_IFCHR | 0666, makedev(devices[i].major, devices[i].minor)), devices[i].path);
    }
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        check(symlink(links[i][0], links[i][1]), links[i][1]);
    }
}

static void build_rootfs(const char *rootfs) {
    check(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "/");
    check(mount(rootfs, rootfs, NULL, MS_BIND | MS_REC, NULL), rootfs);
    check(chdir(rootfs), rootfs);
    umask(0);
    const unsigned long safe = MS_NOSUID | MS_NOEXEC | MS_NODEV;
    add_mount("proc", "proc", "proc", 0, NULL);
    add_mount("tmpfs", "dev", "tmpfs", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k");
    add_mount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5");
    add_mount("shm", "dev/shm", "tmpfs", safe, "mode=1777,size=65536k");
    add_mount("mqueue", "dev/mqueue", "mqueue", safe, NULL);
    add_mount("sysfs", "sys", "sysfs", safe | MS_RDONLY, NULL);
    mount_cgroups();
    make_devices();
    check((int)syscall(SYS_pivot_root, ".", "."), "pivot_root");
    check(umount2(".", MNT_DETACH), "umount");
    check(chdir("/"), "/");
    check(mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), "/ read-only");
}

static void protect_paths(void) {
    static const char *const masked[] = {"/proc/acpi",         "/proc/asound",     "/proc/kcore",       "/proc/keys",     "/proc/latency_stats",
                                         "/proc/timer_list",   "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi"};
    static const char *const read_only[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};
    for (size_t i = 0; i < sizeof(read_only) / sizeof(read_only[0]); i++) {
        if (mount(read_only[i], read_only[i], NULL, MS_BIND | MS_REC, NULL) < 0 && errno == ENOENT) {
            continue;
        }
        check(mount(NULL, read_only[i], NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), read_only[i]);
    }
    for (size_t i = 0; i < sizeof(masked) / sizeof(masked[0]); i++) {
        if (mount("/dev/null", masked[i], NULL, MS_BIND, NULL) < 0 && errno == ENOTDIR) {
            check(mount("tmpfs", masked[i], "tmpfs", MS_RDONLY, NULL), masked[i]);
        }
    }
}

static void bring_up_loopback(void) {
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    check(ioctl(fd, SIOCSIFFLAGS, &request), "lo");
    close(fd);
}

static void drop_privileges(void) {
    /* CAP_AUDIT_WRITE, CAP_KILL, CAP_NET_BIND_SERVICE */
    const uint64_t kept = (1ull << 29) | (1ull << 5) | (1ull << 10);
    const struct rlimit files = {1024, 1024};
    check(setrlimit(RLIMIT_NOFILE, &files), "rlimit");
    check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no new privileges");
    for (int capability = 0; capability <= LAST_CAPABILITY; capability++) {
        if ((kept >> capability & 1) == 0) {
            check(prctl(PR_CAPBSET_DROP, capability, 0, 0, 0), "bounding set");
        }
    }
    check(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0), "keepcaps");
    check(setgroups(0, NULL), "setgroups");
    check(setgid(0), "setgid");
    check(setuid(0), "setuid");
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {0};
    data[0].effective = data[0].permitted = (uint32_t)kept;
    check((int)syscall(SYS_capset, &header, data), "capset");
    umask(0022);
}

/* What runs as process 1 of the container. `ready` is written to when all is set up, when there is a fifo to wait at. */
static void __attribute__((noreturn)) init(const char *rootfs, char **argv, int fifo, int ready) {
    join_cgroups();
    check(unshare(CLONE_NEWCGROUP), "cgroup namespace");
    setsid();
    bring_up_loopback();
    build_rootfs(rootfs);
    check(sethostname("floor", 5), "hostname");
    protect_paths();
    drop_privileges();
    if (fifo >= 0) {
        char path[32];
        format_text(path, sizeof(path), "/proc/self/fd/%d", fifo);
        check((int)write(ready, "", 1), "ready");
        close(ready);
        int opened = open(path, O_WRONLY | O_CLOEXEC);
        check((int)write(opened, "0", 1), "fifo");
    }
    check((int)syscall(SYS_close_range, 3, ~0u, CLOSE_RANGE_CLOEXEC), "close_range");
    char *const environment[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm", "HOME=/root", NULL};
    execve(argv[0], argv, environment);
    perror(argv[0]);
    _exit(EXEC_FAILED);
}

static pid_t start_init(const char *rootfs, char **argv, int fifo, int ready) {
    struct clone_args args = {
        .flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS,
        .exit_signal = SIGCHLD,
    };
    if (is_v2) {
        char path[512];
        cgroup_path(path, sizeof(path), 0, "");
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = (uint64_t)open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    }
    pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
    check(pid, "clone3");
    if (pid == 0) {
        init(rootfs, argv, fifo, ready);
    }
    return pid;
}

static void state_path(char *path, size_t size, const char *name) {
    format_text(path, size, "%s/%s", container, name);
}

/* The state file, and the pid file in the same folder; both appear whole. */
static void save_state(pid_t pid) {
    char path[512];
    char temporary[512];
    char text[1024];
    static const char *const names[] = {"state.json", "pid"};
    for (int i = 0; i < 2; i++) {
        state_path(path, sizeof(path), names[i]);
        state_path(temporary, sizeof(temporary), ".new");
        int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        check(fd, temporary);
        if (i == 0) {
            format_text(text, sizeof(text), "{\"id\":\"%s\",\"pid\":%d}", id, pid);
        } else {
            format_text(text, sizeof(text), "%d", pid);
        }
        check((int)write(fd, text, strlen(text)), temporary);
        close(fd);
        check(rename(temporary, path), path);
    }
}

static pid_t load_pid(void) {
    char path[512];
    char text[32] = "";
    state_path(path, sizeof(path), "pid");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    check(fd, path);
    check((int)read(fd, text, sizeof(text) - 1), path);
    close(fd);
    return (pid_t)atoi(text);
}

static void make_state(void) {
    if (mkdir(state, 0700) < 0 && errno != EEXIST) {
        check(-1, state);
    }
    check(mkdir(container, 0711), container);
}

static void remove_state(void) {
    static const char *const names[] = {"state.json", "pid", "exec.fifo"};
    char path[512];
    for (int i = 0; i < 3; i++) {
        state_path(path, sizeof(path), names[i]);
        unlink(path);
    }
    check(rmdir(container), container);
}

static int run(const char *rootfs, char **argv) {
    int status = 0;
    make_state();
    make_cgroups();
    pid_t pid = start_init(rootfs, argv, -1, -1);
    save_state(pid);
    check(waitpid(pid, &status, 0), "wait");
    remove_cgroups();
    remove_state();
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int create(const char *rootfs, char **argv) {
    char path[512];
    char byte;
    int ready[2];
    make_state();
    state_path(path, sizeof(path), "exec.fifo");
    check(mkfifo(path, 0600), path);
    int fifo = open(path, O_PATH | O_CLOEXEC);
    check(fifo, path);
    check(pipe2(ready, O_CLOEXEC), "pipe");
    make_cgroups();
    pid_t pid = start_init(rootfs, argv, fifo, ready[1]);
    close(ready[1]);
    if (read(ready[0], &byte, 1) != 1) {
        return 1;
    }
    save_state(pid);
    return 0;
}

static int start(void) {
    char path[512];
    char byte;
    state_path(path, sizeof(path), "exec.fifo");
    int fifo = open(path, O_RDONLY | O_CLOEXEC);
    check(fifo, path);
    check((int)read(fifo, &byte, 1), path);
    check(unlink(path), path);
    return 0;
}

static int print_state(void) {
    char path[512];
    char text[1024];
    state_path(path, sizeof(path), "state.json");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    check(fd, path);
    ssize_t length = read(fd, text, sizeof(text));
    check((int)length, path);
    close(fd);
    check((int)write(STDOUT_FILENO, text, (size_t)length), "stdout");
    return 0;
}

static int kill_container(void) {
    int pidfd = (int)syscall(SYS_pidfd_open, load_pid(), 0);
    check(pidfd, "pidfd");
    check((int)syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0), "kill");
    return 0;
}

static int delete_container(void) {
    remove_cgroups();
    remove_state();
    return 0;
}

int main(int argc, char **argv) {
    if (argc < 4) {
        fputs("usage: floor STATE run|create|start|state|kill|delete ID [ROOTFS PROGRAM [ARG]...]\n", stderr);
        return 2;
    }
    const char *verb = argv[2];
    format_text(state, sizeof(state), "%s", argv[1]);
    format_text(id, sizeof(id), "%s", argv[3]);
    format_text(container, sizeof(container), "%s/%s", state, id);
    if (strcmp(verb, "start") == 0) {
        return start();
    }
    if (strcmp(verb, "state") == 0) {
        return print_state();
    }
    if (strcmp(verb, "kill") == 0) {
        return kill_container();
    }
    find_cgroups();
    if (strcmp(verb, "delete") == 0) {
        return delete_container();
    }
    if (argc < 6) {
        fputs("floor: run and create need a rootfs and a program\n", stderr);
        return 2;
    }
    return strcmp(verb, "run") == 0 ? run(argv[4], argv + 5) : create(argv[4], argv + 5);
}
