/* SPDX-License-Identifier: MIT
 * Tests of the FFI: functions that tell what reached them, for the script of ffi_test.ts. Usage: ffi_test SCRIPT
 * Prints a line for each failure; exit status 0 when all is well. */
#include "ffi.c"

int probe_int(int value) { return value; }
unsigned probe_uint(unsigned value) { return value; }
long probe_long(long value) { return value; }
unsigned long probe_ulong(unsigned long value) { return value; }
long probe_string(const char *text) { return text == NULL ? -1 : (long)strlen(text); }
long probe_first(const uint8_t *bytes) { return bytes == NULL ? -1 : bytes[0]; }
void *probe_pointer(void *address) { return address; }
void probe_void(void) { errno = 0; }
int probe_errno(int value) { return errno = value, -1; }
/* Each argument in a place of its own: a wrong width or order shows in the digits. */
long probe_six(int a, unsigned b, long c, unsigned long d, const char *e, const uint8_t *f) {
    return a + 10L * b + 100 * c + 1000 * (long)d + 10000 * (long)strlen(e) + 100000L * f[0];
}

static int failures;
void probe_fail(const char *text) { failures++, puts(text); }

int main(int argc, char **argv) {
    static char script[16384];
    char *arguments[] = {"ffi_test", "one", "two", NULL}, *environment[] = {"A=1", NULL};
    FILE *file = argc == 2 ? fopen(argv[1], "r") : NULL;
    size_t length = file == NULL ? 0 : fread(script, 1, sizeof script - 1, file);
    JSRuntime *runtime = JS_NewRuntime();
    JSContext *ctx = JS_NewContext(runtime), *job;
    ffi_install(ctx, 0);
    ffi_set_arguments(ctx, 3, arguments, environment, (const int[]){500, 501}, 2);
    JSValue result = JS_Eval(ctx, script, length, "ffi_test", JS_EVAL_TYPE_MODULE);
    while (JS_ExecutePendingJob(runtime, &job) > 0)
        continue;
    if (length == 0 || JS_PromiseState(ctx, result) != JS_PROMISE_FULFILLED) /* no promise either when it cannot be compiled */
        probe_fail("the script did not run to its end");
    JS_FreeValue(ctx, result);
    JS_FreeContext(ctx);
    JS_FreeRuntime(runtime);
    return failures > 0;
}
