/* SPDX-License-Identifier: MIT
 * Boots QuickJS and runs the program's modules, whose bytecode is linked into this binary. All behaviour is TypeScript. */
#include "shim.h"

#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>

extern char **environ;

/* Reports an exception that nothing caught: a defect of reg, so its stack is shown. What it takes goes with the process, which is about to end. */
static void report(JSContext *ctx, JSValue exception) {
    const char *message = JS_ToCString(ctx, exception);
    JSValue stack = JS_GetPropertyStr(ctx, exception, "stack");
    const char *trace = JS_IsString(stack) ? JS_ToCString(ctx, stack) : NULL;
    fprintf(stderr, "reg: internal error: %s\n%s", message ? message : "unknown", trace ? trace : "");
}

/* `loaded` is where the numbers of the modules go that were loaded, or NULL. */
static JSModuleDef *load(JSContext *ctx, const char *name, void *loaded) {
    for (size_t i = 0; i < module_count; i++) {
        if (strcmp(modules[i].name, name) != 0)
            continue;
        JSValue module = JS_ReadObject(ctx, modules[i].code, modules[i].size, JS_READ_OBJ_BYTECODE);
        if (JS_IsException(module))
            return NULL;
        if (loaded != NULL)
            fprintf(loaded, "%zu\n", i);
        JSModuleDef *definition = JS_VALUE_GET_PTR(module);
        JS_FreeValue(ctx, module); /* the context keeps its modules */
        return definition;
    }
    JS_ThrowReferenceError(ctx, "no module %s in this binary", name);
    return NULL;
}

/* Modules name each other as `./name`; all lie in one flat table. */
static char *normalize(JSContext *ctx, const char *, const char *name, void *) {
    return js_strdup(ctx, strncmp(name, "./", 2) == 0 ? name + 2 : name);
}

static JSContext *new_context(JSRuntime *runtime) {
    JSContext *ctx = JS_NewContextRaw(runtime);
    if (ctx == NULL)
        return NULL;
    JS_AddIntrinsicBaseObjects(ctx);
    JS_AddIntrinsicDate(ctx);
    JS_AddIntrinsicRegExp(ctx);
    JS_AddIntrinsicJSON(ctx);
    JS_AddIntrinsicMapSet(ctx);
    JS_AddIntrinsicTypedArrays(ctx);
    JS_AddIntrinsicPromise(ctx);
    JS_AddIntrinsicBigInt(ctx);
    return ctx;
}

/* Runs jobs until `promise` is settled. -1, after a report, when it was rejected or is an exception. */
static int settle(JSRuntime *runtime, JSContext *ctx, JSValue promise) {
    JSContext *job_context;
    while (JS_ExecutePendingJob(runtime, &job_context) > 0)
        continue;
    int thrown = JS_IsException(promise);
    if (!thrown && JS_PromiseState(ctx, promise) != JS_PROMISE_REJECTED)
        return 0;
    report(ctx, thrown ? JS_GetException(ctx) : JS_PromiseResult(ctx, promise));
    return -1;
}

/* Boots the engine and evaluates the entry module, which leaves the program's start at reg.entry. */
static JSContext *boot(JSRuntime **runtime, int snapshot) {
    *runtime = JS_NewRuntime2(&engine_memory, NULL);
    JSContext *ctx = *runtime == NULL ? NULL : new_context(*runtime);
    if (ctx == NULL) {
        fputs("reg: out of memory\n", stderr);
        return NULL;
    }
    JS_SetModuleLoaderFunc(*runtime, normalize, load, snapshot ? stdout : NULL);
    JS_SetGCThreshold(*runtime, (size_t)-1); /* a command is over before a cycle would be worth collecting; the shim says when */
    ffi_install(ctx, snapshot);
    JSValue module = JS_ReadObject(ctx, modules[0].code, modules[0].size, JS_READ_OBJ_BYTECODE);
    if (JS_IsException(module) || JS_ResolveModule(ctx, module) < 0) {
        report(ctx, JS_GetException(ctx));
        return NULL;
    }
    return settle(*runtime, ctx, JS_EvalFunction(ctx, module)) < 0 ? NULL : ctx;
}

/* Runs the program. It leaves by _exit(2). */
static int run(JSRuntime *runtime, JSContext *ctx, int argc, char **argv) {
    int held[2];
    ffi_set_arguments(ctx, argc, argv, environ, held, held_descriptors(held));
    JSValue global = JS_GetGlobalObject(ctx);
    JSValue reg = JS_GetPropertyStr(ctx, global, "reg");
    JSValue entry = JS_GetPropertyStr(ctx, reg, "entry");
    return settle(runtime, ctx, JS_Call(ctx, entry, JS_UNDEFINED, 0, NULL)) < 0 ? 1 : 0;
}

#ifdef SNAPSHOT_ADDRESS

/* The binary that makes the snapshot: the same program, with nothing in the snapshot's place. It prints which modules are in it. */
static int make_snapshot(const char *path) {
    JSRuntime *runtime;
    JSContext *ctx = snapshot_begin() < 0 ? NULL : boot(&runtime, 1);
    if (ctx != NULL) {
        puts("0"); /* the entry, which nobody asks the loader for */
        JS_SetModuleLoaderFunc(runtime, normalize, load, NULL);
        engine_settle_objects(runtime);
        if (snapshot_write(path, runtime, ctx) == 0)
            return 0;
    }
    fputs("cannot make the snapshot\n", stderr);
    return 1;
}

/* Makes read-only what the linker set apart for it, tables of functions first of all. For a dynamic program its loader does that. */
static void protect_tables(void) {
    const ElfW(Phdr) *header = (const void *)getauxval(AT_PHDR);
    for (size_t left = getauxval(AT_PHNUM); left > 0; left--, header++) {
        uintptr_t start = header->p_vaddr & ~(uintptr_t)4095, end = (header->p_vaddr + header->p_memsz) & ~(uintptr_t)4095;
        if (header->p_type == PT_GNU_RELRO && mprotect((void *)start, end - start, PROT_READ) < 0)
            abort();
    }
}

#endif

int main(int argc, char **argv) {
    JSRuntime *runtime;
    if (enters_container(argc, argv))
        seal_executable(argv, environ);
#ifdef SNAPSHOT_ADDRESS
    protect_tables();
    JSContext *ctx = snapshot_restore(&runtime);
    if (ctx == NULL)
        return make_snapshot(argv[1]);
    JS_UpdateStackTop(runtime);
#else /* for the sanitizers, which want to see every allocation */
    JSContext *ctx = boot(&runtime, 0);
    if (ctx == NULL)
        return 1;
#endif
    return run(runtime, ctx, argc, argv);
}
