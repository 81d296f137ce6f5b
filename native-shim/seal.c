/* SPDX-License-Identifier: MIT
 * Seals the executable before it enters a container (CVE-2019-5736): what the container finds behind /proc/PID/exe must
 * not be the host's file. First choice: the same file seen through an overlay without an upper layer, mounted nowhere; it
 * costs no copy, and nobody can make it writable. Fall-back: a copy in a sealed memfd. */
#define _GNU_SOURCE
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>

enum {
    MEMFD_EXEC = 0x10, /* MFD_EXEC and F_SEAL_EXEC: Linux 6.3, which the headers may be older than */
    SEAL_EXEC = 0x20,
    SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE,
    HELD_FROM = 500, /* above what callers preserve for containers, below the usual limit of 1024 */
};

int enters_container(int argc, char **argv) {
    /* Where the command stands depends on the flags before it; a word too many costs a re-execution, no more. */
    static const char *const words[] = {"create", "run", "exec", "restore", "init", "start"};
    size_t count = sizeof words / sizeof words[0];
    if (argc > 0 && strstr(argv[0], "containerd-shim") == NULL)
        count--; /* `reg start` only opens a fifo; that of the shim leaves the process that makes containers */
    for (int i = 1; i < argc; i++)
        for (size_t word = 0; word < count; word++)
            if (strcmp(argv[i], words[word]) == 0)
                return 1;
    return 0;
}

/* The number N in the name /dev/fd/N that the kernel gave to the running image; -1 when it has another. */
static int own_descriptor(void) {
    const char *name = (const char *)getauxval(AT_EXECFN);
    return name != NULL && strncmp(name, "/dev/fd/", 8) == 0 ? atoi(name + 8) : -1;
}

/* Is this process running from what seal_executable made? Asked of the kernel, not of the environment. */
static int is_sealed(void) {
    struct statfs filesystem;
    if (own_descriptor() < 0)
        return 0;
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    int seals = fcntl(fd, F_GET_SEALS);
    int sealed = (seals >= 0 && (seals & SEALS) == SEALS) ||
                 (fstatfs(fd, &filesystem) == 0 && filesystem.f_type == OVERLAYFS_SUPER_MAGIC);
    close(fd);
    return sealed;
}

static int detached_mount(int filesystem, unsigned attributes) {
    if (filesystem < 0 || syscall(SYS_fsconfig, filesystem, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return -1;
    return (int)syscall(SYS_fsmount, filesystem, FSMOUNT_CLOEXEC, attributes);
}

static void close_all(const int *descriptors, int count) {
    for (int i = 0; i < count; i++)
        if (descriptors[i] >= 0)
            close(descriptors[i]);
}

/* Keeps two detached mounts open over the execution, at the two numbers below that of the executable. Returns its number. */
static int hold(int empty, int overlay, int executable) {
    int first = fcntl(empty, F_DUPFD, HELD_FROM);
    int second = first < 0 ? -1 : fcntl(overlay, F_DUPFD, first + 1);
    int third = second < 0 ? -1 : fcntl(executable, F_DUPFD_CLOEXEC, second + 1);
    if (second == first + 1 && third == second + 1) {
        close(executable);
        return third;
    }
    close_all((int[]){first, second, third}, 3);
    return executable;
}

int held_descriptors(int held[2]) {
    int executable = own_descriptor();
    if (executable < HELD_FROM + 2)
        return 0;
    for (int i = 0; i < 2; i++) {
        held[i] = executable - 2 + i;
        fcntl(held[i], F_SETFD, FD_CLOEXEC);
    }
    return 2;
}

/* Do two descriptors show the same file? An overlay has inodes of its own, but not another file's size and times. */
static int is_same(int one, int other) {
    struct stat a, b;
    return fstat(one, &a) == 0 && fstat(other, &b) == 0 && a.st_mode == b.st_mode && a.st_size == b.st_size &&
           memcmp(&a.st_mtim, &b.st_mtim, sizeof a.st_mtim) == 0 && memcmp(&a.st_ctim, &b.st_ctim, sizeof a.st_ctim) == 0;
}

/* The executable through a read-only overlay of its directory; -1 where the kernel or the filesystem does not allow it. The directory is
 * named by a descriptor: in a name, the overlay would take ':' for the end of a layer. */
static int overlay_of(const char *path, int running) {
    char lower[128];
    int executable = -1;
    int directory = open(dirname(strdupa(path)), O_PATH | O_DIRECTORY | O_CLOEXEC);
    int empty_filesystem = (int)syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC); /* an overlay without upper needs two lower layers */
    int empty = detached_mount(empty_filesystem, MOUNT_ATTR_RDONLY);
    int overlay_filesystem = (int)syscall(SYS_fsopen, "overlay", FSOPEN_CLOEXEC);
    int overlay = -1;
    snprintf(lower, sizeof lower, "/proc/self/fd/%d:/proc/self/fd/%d", directory, empty);
    if (directory >= 0 && empty >= 0 && overlay_filesystem >= 0 &&
        syscall(SYS_fsconfig, overlay_filesystem, FSCONFIG_SET_STRING, "lowerdir", lower, 0) == 0)
        overlay = detached_mount(overlay_filesystem, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
    if (overlay >= 0)
        executable = openat(overlay, basename(strdupa(path)), O_PATH | O_CLOEXEC | O_NOFOLLOW);
    if (executable >= 0) /* another file when it was replaced since it was started */
        executable = is_same(running, executable) ? hold(empty, overlay, executable) : (close(executable), -1);
    close_all((int[]){directory, empty_filesystem, empty, overlay_filesystem, overlay}, 5);
    return executable;
}

static int memfd_of(int running) {
    struct stat status;
    off_t offset = 0;
    int copy = memfd_create("reg", MFD_CLOEXEC | MFD_ALLOW_SEALING | MEMFD_EXEC);
    if (copy < 0 && errno == EINVAL)
        copy = memfd_create("reg", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    off_t left = copy < 0 || fstat(running, &status) < 0 ? -1 : status.st_size;
    while (left > 0) {
        ssize_t moved = sendfile(copy, running, &offset, (size_t)left);
        if (moved <= 0)
            break;
        left -= moved;
    }
    /* F_SEAL_EXEC, Linux 6.3, keeps the mode too; it can only be set together with the seal of seals. */
    if (left == 0 && fchmod(copy, 0555) == 0 &&
        (fcntl(copy, F_ADD_SEALS, SEALS | SEAL_EXEC) == 0 || fcntl(copy, F_ADD_SEALS, SEALS) == 0))
        return copy;
    if (copy >= 0)
        close(copy);
    return -1;
}

/* Returns only on failure. The kernel then tells the new image its name as /dev/fd/N, which is_sealed looks for. */
static void execute(int executable, char **argv, char **environment) {
    syscall(SYS_execveat, executable, "", argv, environment, AT_EMPTY_PATH);
}

void seal_executable(char **argv, char **environment) {
    char path[PATH_MAX];
    if (is_sealed())
        return;
    int running = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (running >= 0 && length > 0) {
        path[length] = '\0';
        execute(overlay_of(path, running), argv, environment);
        execute(memfd_of(running), argv, environment);
    }
    fprintf(stderr, "reg: cannot seal the executable against the container: %s\n"
                    "hint: /proc must be mounted, and memfd_create(2) allowed\n",
            strerror(errno));
    exit(1);
}
