/* A program for tests to save and restore, which has something that CRIU has to take care of.
 *
 *   checkpointed serve ADDRESS PORT     a TCP server with a thread: answers each line of its one connection with a number that counts on
 *   checkpointed talk ADDRESS PORT N    its client: sends N lines, one each 20 ms, and writes the answers to standard output
 *   checkpointed both PORT FILE         server and client in one process, over the loopback interface; the client's answers go to FILE
 *   checkpointed lock FILE              holds a lock on FILE
 *   checkpointed vfork FILE             makes children by vfork(2) all the time, which take 15 ms until they end, and counts them in FILE
 *   checkpointed send SOCKET            sends a number, counting on, to a unix datagram socket every 20 ms
 */
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void nap(void) {
    usleep(20000);
}

static struct sockaddr_in address_of(const char *address, const char *port) {
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port))};
    if (inet_pton(AF_INET, address, &in.sin_addr) != 1) errx(1, "%s: not an address", address);
    return in;
}

static int listen_at(const char *address, const char *port) {
    struct sockaddr_in in = address_of(address, port);
    int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0) err(1, "socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&in, sizeof in) < 0) err(1, "bind");
    if (listen(fd, 1) < 0) err(1, "listen");
    return fd;
}

static void *serve(void *listener) {
    int fd = accept(*(int *)listener, NULL, NULL);
    if (fd < 0) err(1, "accept");
    FILE *in = fdopen(fd, "r"), *out = fdopen(dup(fd), "w");
    char line[256];
    for (int n = 1; fgets(line, sizeof line, in) != NULL; n++) {
        fprintf(out, "%d %s", n, line);
        fflush(out);
    }
    return NULL;
}

static void talk(const char *address, const char *port, int lines, FILE *answers) {
    struct sockaddr_in in = address_of(address, port);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0) err(1, "socket");
    while (connect(fd, (struct sockaddr *)&in, sizeof in) < 0) nap();
    FILE *from = fdopen(fd, "r");
    char line[256];
    for (int n = 1; n <= lines; n++) {
        if (dprintf(fd, "line %d\n", n) < 0) err(1, "write");
        if (fgets(line, sizeof line, from) == NULL) errx(1, "the connection is closed");
        fputs(line, answers);
        fflush(answers);
        nap();
    }
}

static void send_to(const char *path) {
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    strncpy(un.sun_path, path, sizeof un.sun_path - 1);
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    if (fd < 0) err(1, "socket");
    if (connect(fd, (struct sockaddr *)&un, sizeof un) < 0) err(1, "connect %s", path);
    for (int n = 1;; n++) {
        dprintf(fd, "%d\n", n);
        nap();
    }
}

static void keep_making_children(const char *path) {
    int fd = open(path, O_RDWR | O_CREAT, 0644);
    if (fd < 0) err(1, "%s", path);
    for (int n = 1;; n++) {
        char text[32];
        int length = snprintf(text, sizeof text, "%d\n", n);
        if (pwrite(fd, text, (size_t)length, 0) < 0) err(1, "%s", path);
        pid_t child = vfork();
        if (child < 0) err(1, "vfork");
        if (child == 0) {
            usleep(15000);
            _exit(0);
        }
        if (waitpid(child, NULL, 0) < 0) err(1, "waitpid");
        usleep(1000);
    }
}

int main(int argc, char **argv) {
    const char *mode = argc > 2 ? argv[1] : "";
    if (strcmp(mode, "serve") == 0 && argc == 4) {
        int listener = listen_at(argv[2], argv[3]);
        pthread_t thread;
        pthread_create(&thread, NULL, serve, &listener);
        pthread_join(thread, NULL);
    } else if (strcmp(mode, "talk") == 0 && argc == 5) {
        talk(argv[2], argv[3], atoi(argv[4]), stdout);
    } else if (strcmp(mode, "both") == 0 && argc == 4) {
        int listener = listen_at("127.0.0.1", argv[2]);
        pthread_t thread;
        pthread_create(&thread, NULL, serve, &listener);
        FILE *answers = fopen(argv[3], "w");
        if (answers == NULL) err(1, "%s", argv[3]);
        talk("127.0.0.1", argv[2], 1000000, answers);
    } else if (strcmp(mode, "lock") == 0) {
        int fd = open(argv[2], O_RDWR | O_CREAT, 0644);
        if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0) err(1, "%s", argv[2]);
        for (;;) pause();
    } else if (strcmp(mode, "vfork") == 0) {
        keep_making_children(argv[2]);
    } else if (strcmp(mode, "send") == 0) {
        send_to(argv[2]);
    } else {
        errx(1, "usage: see the source");
    }
    return 0;
}
