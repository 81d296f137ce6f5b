/* SPDX-License-Identifier: MIT */
#ifndef REG_SHIM_H
#define REG_SHIM_H

#include <quickjs.h>
#include <stddef.h>
#include <stdint.h>

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

/* Puts `reg` on the global object: libc, errno and memory, as runtime/host/shim.ts describes. */
void ffi_install(JSContext *ctx, int argc, char **argv, char **environment);

/* Makes sure that the running executable cannot be written through /proc/PID/exe, re-executing a sealed copy once. */
void seal_executable(char **argv, char **environment);

/* True when the command line has a word that may make this process enter a container. */
int enters_container(int argc, char **argv);

#endif
