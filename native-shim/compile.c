/* SPDX-License-Identifier: MIT
 * Build tool: compiles JavaScript modules to bytecode with the engine that will load them.
 * Usage: compile OUTPUT-DIR ENTRY.js [MODULE.js ...]; writes one .bin a module and modules.S, the table of them all. */
#include <libgen.h>
#include <quickjs.h>
#include <stdio.h>
#include <stdlib.h>

static void fail(const char *what, const char *name) {
    fprintf(stderr, "compile: %s %s\n", what, name);
    exit(1);
}

/* Imports are resolved when the program runs; here a name is enough. */
static int no_exports(JSContext *, JSModuleDef *) {
    return 0;
}

static JSModuleDef *load(JSContext *ctx, const char *name, void *) {
    return JS_NewCModule(ctx, name, no_exports);
}

static void compile(const char *directory, char *path, int strip) {
    char output[4096], *text = NULL;
    size_t size, room = 0;
    FILE *file = fopen(path, "rb");
    ssize_t length = file == NULL ? -1 : getdelim(&text, &room, '\0', file); /* all of it, with the NUL that JS_Eval wants */
    if (length < 0)
        fail("cannot read", path);
    fclose(file);
    JSRuntime *runtime = JS_NewRuntime();
    JSContext *ctx = JS_NewContext(runtime);
    JS_SetModuleLoaderFunc(runtime, NULL, load, NULL);
    JSValue module = JS_Eval(ctx, text, (size_t)length, basename(path), JS_EVAL_TYPE_MODULE | JS_EVAL_FLAG_COMPILE_ONLY);
    if (JS_IsException(module)) {
        JSValue exception = JS_GetException(ctx);
        fail(JS_ToCString(ctx, exception), path);
    }
    uint8_t *code = JS_WriteObject(ctx, &size, module, JS_WRITE_OBJ_BYTECODE | strip);
    snprintf(output, sizeof output, "%s/%s.bin", directory, basename(path));
    file = fopen(output, "wb");
    if (code == NULL || file == NULL || fwrite(code, 1, size, file) != size || fclose(file) != 0)
        fail("cannot write", output); /* what else there is goes with the process */
}

int main(int argc, char **argv) {
    char path[4096], **paths = argv + 2;
    int count = argc - 2;
    if (count < 1)
        fail("usage: compile OUTPUT-DIR", "ENTRY.js [MODULE.js ...]");
    snprintf(path, sizeof path, "%s/modules.S", argv[1]);
    FILE *table = fopen(path, "w");
    if (table == NULL)
        fail("cannot write", path);
    fputs(".section .rodata\n", table);
    for (int i = 0; i < count; i++)
        fprintf(table, "name%d: .asciz \"%s\"\n", i, basename(paths[i]));
    fputs(".section .bytecode,\"a\"\n", table);
    for (int i = 0; i < count; i++) {
        /* The entry keeps its line table: import() finds the importing module's name there. */
        compile(argv[1], paths[i], i == 0 ? JS_WRITE_OBJ_STRIP_SOURCE : JS_WRITE_OBJ_STRIP_SOURCE | JS_WRITE_OBJ_STRIP_DEBUG);
        fprintf(table, ".balign 16\ncode%d:\n.ifndef omitted%d\n.incbin \"%s/%s.bin\"\n.endif\nend%d:\n", i, i, argv[1],
                basename(paths[i]), i);
    }
    fputs(".section .data.rel.ro,\"aw\"\n.balign 8\n.globl modules\nmodules:\n", table);
    for (int i = 0; i < count; i++)
        fprintf(table, ".quad name%d, code%d, end%d - code%d\n", i, i, i, i);
    fprintf(table, ".section .rodata\n.balign 8\n.globl module_count\nmodule_count: .quad %d\n.section .note.GNU-stack,\"\",%%progbits\n", count);
    return fclose(table) == 0 ? 0 : 1;
}
