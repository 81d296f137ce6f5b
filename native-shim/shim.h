/* SPDX-License-Identifier: MIT */
#ifndef REG_SHIM_H
#define REG_SHIM_H

#include <quickjs.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

/* A module of the program as the build left it in the binary: its name and its bytecode. */
struct module {
    const char *name;
    const uint8_t *code;
    size_t size;
};

/* The modules, entry point first; made by compile.c. */
extern const struct module modules[];
extern const size_t module_count;

/* The allocator of a process that is soon over. */
extern const JSMallocFunctions engine_memory;
void memory_trim(void);
void memory_forked(void); /* for a child, see Host.forked */

/* Puts `reg` on the global object: libc, errno and memory, as runtime/host/shim.ts describes. */
void ffi_install(JSContext *ctx, int snapshot);

/* Gives `reg` this process's arguments and environment, and the descriptors that are held. */
void ffi_set_arguments(JSContext *ctx, int argc, char **argv, char **environment, const int *held, int count);

/* The snapshot: the engine's memory with all modules of the commands loaded and evaluated, as the build left it in the
 * binary. The kernel maps it with the program; only pages that change are ever copied.
 *   build: snapshot_begin, boot, snapshot_write       start: snapshot_restore */
/* NULL in the binary that makes the snapshot. */
JSContext *snapshot_restore(JSRuntime **runtime);
int snapshot_begin(void);
int snapshot_write(const char *path, JSRuntime *runtime, JSContext *ctx);

/* Takes what is there out of the collector's sight, for good: it would look at every object, and so make the process a copy of the
 * snapshot's pages. What only settled objects refer to lives on. Defined in engine.c. */
void engine_settle_objects(JSRuntime *runtime);

/* Makes sure that the running executable cannot be written through /proc/PID/exe, re-executing a sealed copy once. */
void seal_executable(char **argv, char **environment);

/* The descriptors that seal_executable left open, and how many: mounts that the kernel takes 0.1 to 0.5 ms to close, as it waits
 * until no processor can still be looking at them. Whoever has to wait anyway closes them. */
int held_descriptors(int held[2]);

/* True when the command line has a word that may make this process enter a container. */
int enters_container(int argc, char **argv);

#endif
