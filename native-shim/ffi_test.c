/* SPDX-License-Identifier: MIT
 * Tests of the FFI: values of every type at the edges of their width, through functions that tell what reached them.
 * Prints a line for each failure; exit status 0 when all is well. */
#define FUNCTION_TABLE "ffi_test_table.h"
#include "ffi.c"

#include <stdio.h>

int probe_int(int value) { return value; }
unsigned probe_uint(unsigned value) { return value; }
long probe_long(long value) { return value; }
unsigned long probe_ulong(unsigned long value) { return value; }
long probe_string(const char *text) { return text == NULL ? -1 : (long)strlen(text); }
long probe_first(const uint8_t *bytes) { return bytes == NULL ? -1 : bytes[0]; }
void *probe_pointer(void *address) { return address; }
void probe_void(void) { errno = 0; }
int probe_errno(int value) {
    errno = value;
    return -1;
}
/* Each argument in a place of its own: a wrong width or order shows in the digits. */
long probe_six(int a, unsigned b, long c, unsigned long d, const char *e, const uint8_t *f) {
    return a + 10L * b + 100 * c + 1000 * (long)d + 10000 * (long)strlen(e) + 100000L * f[0];
}

static const char *const script =
    "let failures = '';\n"
    "const { libc } = reg;\n"
    "function is(name, found, expected) {\n"
    "  if (!Object.is(found, expected)) failures += `${name}: ${String(found)} instead of ${String(expected)}\\n`;\n"
    "}\n"
    "function throws(name, call) {\n"
    "  try { call(); } catch (error) { is(name, error instanceof TypeError, true); return; }\n"
    "  failures += `${name}: no error\\n`;\n"
    "}\n"
    "for (const value of [0, 1, -1, 2147483647, -2147483648]) is('int', libc.int(value), value);\n"
    "is('int, more than 32 bits', libc.int(2 ** 32 + 5), 5);\n"
    "for (const value of [0, 1, 2147483648, 4294967295]) is('uint', libc.uint(value), value);\n"
    "is('uint, negative', libc.uint(-1), 4294967295);\n"
    "for (const value of [0, -1, 2 ** 32, -(2 ** 32), 2 ** 53 - 1, 1 - 2 ** 53]) is('long', libc.long(value), value);\n"
    "for (const value of [0, 2 ** 32, 2 ** 53 - 1]) is('ulong', libc.ulong(value), value);\n"
    "is('ulong, all bits', libc.ulong(-1), 2 ** 64);\n"
    "is('string', libc.string('abc'), 3);\n"
    "is('string, two bytes', libc.string('\\u00e9'), 2);\n"
    "is('string, empty', libc.string(''), 0);\n"
    "is('string, null', libc.string(null), -1);\n"
    "throws('string with NUL', () => libc.string('a\\0b'));\n"
    "throws('string from a number', () => libc.string(7));\n"
    "is('pointer', libc.first(new Uint8Array([7, 8])), 7);\n"
    "is('pointer into the middle', libc.first(new Uint8Array([7, 8]).subarray(1)), 8);\n"
    "is('pointer, null', libc.first(null), -1);\n"
    "throws('pointer from a string', () => libc.first('x'));\n"
    "throws('pointer from an object', () => libc.first({}));\n"
    "throws('missing argument', () => libc.int());\n"
    "throws('int from a string', () => libc.int('1'));\n"
    "is('pointer as a number', libc.pointer(140737488355327), 140737488355327);\n"
    "const memory = new Uint8Array([42]);\n"
    "is('address', libc.pointer(memory), reg.address(memory));\n"
    "is('address as an argument', libc.first(reg.address(memory)), 42);\n"
    "is('void', libc.void(), undefined);\n"
    "is('errno result', libc.errno(13), -1);\n"
    "is('errno', reg.errno(), 13);\n"
    "reg.encode('x'.repeat(1 << 20));\n"
    "is('errno after other work', reg.errno(), 13);\n"
    "is('six arguments', libc.six(1, 2, 3, 4, 'aaaaa', new Uint8Array([6])), 654321);\n"
    "is('encode', Array.from(reg.encode('a\\u00e9')).join(), '97,195,169');\n"
    "is('decode', reg.decode(new Uint8Array([97, 195, 169])), 'a\\u00e9');\n"
    "is('decode, empty', reg.decode(new Uint8Array(0)), '');\n"
    "for (const bytes of [[255], [0xc3], [0xe2, 0x82], [0xed, 0xb2, 0x80], [0xc0, 0xaf], [65, 0xf4, 0x90, 0x80, 0x80, 195, 169]])\n"
    "  is('no UTF-8', String(reg.encode(reg.decode(new Uint8Array(bytes)))), String(bytes));\n"
    "is('decode, a byte that is no UTF-8', reg.decode(new Uint8Array([97, 255])), 'a\\udcff');\n"
    "is('string, a byte that is no UTF-8', libc.first(reg.encode('\\udc80')) + libc.string('\\udcffa'), 130);\n"
    "is('encode, what looks alike', Array.from(reg.encode('\\ud7ff')).join(), '237,159,191');\n"
    "is('arguments', reg.args.join(), 'one,two');\n"
    "is('environment', reg.environ.join(), 'A=1');\n"
    "is('held descriptors', reg.held.join(), '500,501');\n"
    "failures;\n";

int main(void) {
    char *arguments[] = {"ffi_test", "one", "two", NULL}, *environment[] = {"A=1", NULL};
    JSRuntime *runtime = JS_NewRuntime();
    JSContext *ctx = JS_NewContext(runtime);
    ffi_install(ctx, 0);
    ffi_set_arguments(ctx, 3, arguments, environment, (const int[]){500, 501}, 2);
    JSValue result = JS_Eval(ctx, script, strlen(script), "ffi_test", JS_EVAL_TYPE_GLOBAL);
    if (JS_IsException(result))
        result = JS_GetException(ctx);
    const char *text = JS_ToCString(ctx, result);
    int failed = text == NULL || text[0] != '\0';
    printf("%s", text == NULL ? "no result\n" : text);
    JS_FreeCString(ctx, text);
    JS_FreeValue(ctx, result);
    JS_FreeContext(ctx);
    JS_FreeRuntime(runtime);
    return failed;
}
