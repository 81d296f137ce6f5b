/* SPDX-License-Identifier: MIT
 * Uses up the quota of keys of its user, says so, and keeps them; with an argument, adds a key to the session keyring and names it. */
#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SESSION_KEYRING = -3, PROCESS_KEYRING = -2, KEYCTL_SEARCH = 10, KEYCTL_GET_KEYRING_ID = 0 };

int main(int argc, char **argv) {
    if (argc > 1) {
        /* Is there a key of this name in the session keyring? */
        long found = syscall(SYS_keyctl, KEYCTL_SEARCH, SESSION_KEYRING, "user", argv[1], 0);
        puts(found < 0 ? "absent" : "present");
        return 0;
    }
    char name[32];
    int made = 0;
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 100000; i++) {
            snprintf(name, sizeof name, "fill-%d", made);
            if (syscall(SYS_add_key, "user", name, round == 0 ? "xxxxxxxxxxxxxxxx" : "x", round == 0 ? 16 : 1,
                        PROCESS_KEYRING) < 0)
                break;
            made++;
        }
    printf("made %d, then errno %d\n", made, errno);
    fflush(stdout);
    pause();
    return 0;
}
