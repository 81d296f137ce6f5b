/* SPDX-License-Identifier: MIT
 * Boots QuickJS and runs the program's modules, whose bytecode is linked into this binary. All behaviour is TypeScript. */
#include "shim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

/* Reports an exception that nothing caught: a defect of reg, so its stack is shown. */
static void report(JSContext *ctx, JSValue exception) {
    const char *message = JS_ToCString(ctx, exception);
    JSValue stack = JS_GetPropertyStr(ctx, exception, "stack");
    const char *trace = JS_IsString(stack) ? JS_ToCString(ctx, stack) : NULL;
    fprintf(stderr, "reg: internal error: %s\n%s", message ? message : "unknown", trace ? trace : "");
    JS_FreeCString(ctx, message);
    JS_FreeCString(ctx, trace);
    JS_FreeValue(ctx, stack);
    JS_FreeValue(ctx, exception);
}

static JSModuleDef *load(JSContext *ctx, const char *name, void *opaque) {
    (void)opaque;
    for (size_t i = 0; i < module_count; i++) {
        if (strcmp(modules[i].name, name) != 0)
            continue;
        JSValue module = JS_ReadObject(ctx, modules[i].code, modules[i].size, JS_READ_OBJ_BYTECODE);
        if (JS_IsException(module))
            return NULL;
        JSModuleDef *definition = JS_VALUE_GET_PTR(module);
        JS_FreeValue(ctx, module); /* the context keeps its modules */
        return definition;
    }
    JS_ThrowReferenceError(ctx, "no module %s in this binary", name);
    return NULL;
}

/* Modules name each other as `./name`; all lie in one flat table. */
static char *normalize(JSContext *ctx, const char *base, const char *name, void *opaque) {
    (void)base, (void)opaque;
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
    return ctx;
}

/* Runs the entry module to its end. The program leaves by _exit(2); to come back here is success only without error. */
static int run(JSRuntime *runtime, JSContext *ctx) {
    JSContext *job_context;
    JSValue module = JS_ReadObject(ctx, modules[0].code, modules[0].size, JS_READ_OBJ_BYTECODE);
    if (JS_IsException(module) || JS_ResolveModule(ctx, module) < 0) {
        report(ctx, JS_GetException(ctx));
        return 1;
    }
    JSValue promise = JS_EvalFunction(ctx, module);
    while (JS_ExecutePendingJob(runtime, &job_context) > 0)
        continue;
    if (JS_IsException(promise)) {
        report(ctx, JS_GetException(ctx));
        return 1;
    }
    if (JS_PromiseState(ctx, promise) == JS_PROMISE_REJECTED) {
        report(ctx, JS_PromiseResult(ctx, promise));
        return 1;
    }
    return 0;
}

int main(int argc, char **argv) {
    if (enters_container(argc, argv))
        seal_executable(argv, environ);
    JSRuntime *runtime = JS_NewRuntime2(&engine_memory, NULL);
    JSContext *ctx = runtime == NULL ? NULL : new_context(runtime);
    if (ctx == NULL) {
        fputs("reg: out of memory\n", stderr);
        return 1;
    }
    JS_SetModuleLoaderFunc(runtime, normalize, load, NULL);
    JS_SetGCThreshold(runtime, (size_t)-1); /* a command is over before a cycle would be worth collecting */
    ffi_install(ctx, argc, argv, environ);
    return run(runtime, ctx);
}
