/* SPDX-License-Identifier: MIT
 * The FFI: a table of libc functions, callable from JavaScript. Each is called as long f(long x 6): on the ABIs that reg
 * supports, integers and pointers travel in the same registers, and surplus arguments are ignored. */
#include "shim.h"

#include <errno.h>
#include <string.h>

enum { MAX_PARAMETERS = 6 };

/* One function; `types` is its result and then its parameters, a letter each (see table.ts). */
struct function {
    const char *name;
    void (*address)(void);
    const char *types;
};

/* The table, generated from runtime/libc/table.ts. It declares each symbol without a prototype of its own. */
#include "libc-table.h"

static int saved_errno;

/* Memory behind a Uint8Array; NULL with a pending exception when it is none. */
static uint8_t *memory_of(JSContext *ctx, JSValueConst value, size_t *size) {
    size_t length;
    return JS_GetUint8Array(ctx, size == NULL ? &length : size, value);
}

/* The length of the UTF-8 sequence at `p`, 0 where there is none: RFC 3629, without overlong forms and surrogates. */
static size_t sequence(const uint8_t *p, const uint8_t *end) {
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    size_t i, length = *p < 0x80 ? 1 : *p < 0xc0 ? 0 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : *p < 0xf8 ? 4 : 0;
    uint32_t code = length == 1 ? *p : *p & 0x7fu >> length;
    for (i = 1; i < length && p + i < end && (p[i] & 0xc0) == 0x80; i++)
        code = code << 6 | (p[i] & 0x3f);
    return i == length && code >= least[i - 1] && code <= 0x10ffff && code >> 11 != 0x1b ? length : 0;
}

/* A string from UTF-8. A byte that is none becomes a lone surrogate, U+DC80 to U+DCFF: file names are bytes. */
static JSValue string_from(JSContext *ctx, const uint8_t *bytes, size_t size) {
    const uint8_t *p = bytes, *end = bytes + size;
    for (uint64_t word = 0; end - p >= 8 && (memcpy(&word, p, 8), word & 0x8080808080808080) == 0; p += 8)
        ;
    for (size_t step = 1; p < end && (step = sequence(p, end)) > 0; p += step)
        ;
    if (p == end)
        return JS_NewStringLen(ctx, (const char *)bytes, size);
    uint8_t *text = js_malloc(ctx, 3 * size), *to = text;
    for (p = bytes; text != NULL && p < end;) {
        size_t length = sequence(p, end);
        if (length == 0)
            *to++ = 0xed, *to++ = 0xb0 | *p >> 6, *to++ = 0x80 | (*p++ & 0x3f);
        for (; length > 0; length--)
            *to++ = *p++;
    }
    JSValue string = text == NULL ? JS_EXCEPTION : JS_NewStringLen(ctx, (const char *)text, (size_t)(to - text));
    js_free(ctx, text);
    return string;
}

/* The bytes of a string; the reverse. The engine writes a surrogate as three, in a copy of the string, which is shortened in place. */
static const char *bytes_of(JSContext *ctx, size_t *size, JSValueConst value) {
    uint8_t *text = (uint8_t *)JS_ToCStringLen(ctx, size, value);
    uint8_t *from = text == NULL ? NULL : memchr(text, 0xed, *size), *to = from;
    if (from == NULL)
        return (const char *)text;
    for (uint8_t *end = text + *size; from < end; to++) {
        int lone = end - from > 2 && *from == 0xed && (from[1] & 0xfe) == 0xb2;
        *to = lone ? (uint8_t)(from[1] << 6 | (from[2] & 0x3f)) : *from;
        from += lone ? 3 : 1;
    }
    *to = '\0';
    *size = (size_t)(to - text);
    return (const char *)text;
}

/* A string without NUL bytes, because the kernel would silently cut it there. */
static const char *string_of(JSContext *ctx, JSValueConst value, const char *name) {
    size_t length;
    const char *text = bytes_of(ctx, &length, value);
    if (text != NULL && strlen(text) != length) {
        JS_FreeCString(ctx, text);
        JS_ThrowTypeError(ctx, "%s: string argument holds a NUL byte", name);
        return NULL;
    }
    return text;
}

/* Turns one argument into a machine word. `borrowed` receives a string to free after the call. */
static int to_word(JSContext *ctx, JSValueConst value, char type, const char *name, long *word,
                   const char **borrowed) {
    int64_t number;
    if (type == 's' || type == 'p') {
        if (JS_IsNull(value))
            return 0; /* as the word is */
        if (type == 's') {
            if (!JS_IsString(value)) {
                JS_ThrowTypeError(ctx, "%s: expected a string", name);
                return -1;
            }
            *borrowed = string_of(ctx, value, name);
            *word = (long)*borrowed;
            return *borrowed == NULL ? -1 : 0;
        }
        if (!JS_IsNumber(value)) {
            *word = (long)memory_of(ctx, value, NULL);
            return *word == 0 && JS_HasException(ctx) ? -1 : 0;
        }
    }
    if (!JS_IsNumber(value)) {
        JS_ThrowTypeError(ctx, "%s: expected a number", name);
        return -1;
    }
    if (JS_ToInt64(ctx, &number, value) < 0)
        return -1;
    *word = type == 'i' ? (long)(int)number : type == 'u' ? (long)(unsigned)number : (long)number;
    return 0;
}

static JSValue to_value(JSContext *ctx, long result, char type) {
    switch (type) {
    case 'v':
        return JS_UNDEFINED;
    case 'i':
        return JS_NewInt32(ctx, (int)result);
    case 'u':
        return JS_NewUint32(ctx, (unsigned)result);
    case 'L':
        return JS_NewFloat64(ctx, (double)(unsigned long)result);
    default:
        return JS_NewInt64(ctx, result);
    }
}

static JSValue call(JSContext *ctx, JSValueConst, int argc, JSValueConst *argv, int magic) {
    const struct function *function = &functions[magic];
    const char *parameters = function->types + 1;
    const char *borrowed[MAX_PARAMETERS] = {NULL};
    long words[MAX_PARAMETERS] = {0};
    JSValue value = JS_EXCEPTION;
    int i;
    for (i = 0; parameters[i] != '\0'; i++) {
        JSValueConst argument = i < argc ? argv[i] : JS_UNDEFINED;
        if (to_word(ctx, argument, parameters[i], function->name, &words[i], &borrowed[i]) < 0)
            goto done;
    }
    long (*address)(long, long, long, long, long, long) =
        (long (*)(long, long, long, long, long, long))function->address;
    long result = address(words[0], words[1], words[2], words[3], words[4], words[5]);
    saved_errno = errno; /* before anything else of ours can make a system call */
    value = to_value(ctx, result, function->types[0]);
done:
    for (i = 0; i < MAX_PARAMETERS; i++)
        if (borrowed[i] != NULL)
            JS_FreeCString(ctx, borrowed[i]);
    return value;
}

static JSValue js_errno(JSContext *ctx, JSValueConst, int, JSValueConst *) {
    return JS_NewInt32(ctx, saved_errno);
}

static JSValue js_address(JSContext *ctx, JSValueConst, int, JSValueConst *argv) {
    uint8_t *bytes = memory_of(ctx, argv[0], NULL);
    return bytes == NULL ? JS_EXCEPTION : JS_NewInt64(ctx, (int64_t)(intptr_t)bytes);
}

static JSValue js_encode(JSContext *ctx, JSValueConst, int, JSValueConst *argv) {
    size_t length;
    const char *text = bytes_of(ctx, &length, argv[0]);
    JSValue bytes = text == NULL ? JS_EXCEPTION : JS_NewUint8ArrayCopy(ctx, (const uint8_t *)text, length);
    JS_FreeCString(ctx, text);
    return bytes;
}

static JSValue js_decode(JSContext *ctx, JSValueConst, int, JSValueConst *argv) {
    size_t length;
    uint8_t *bytes = memory_of(ctx, argv[0], &length);
    return bytes == NULL ? JS_EXCEPTION : string_from(ctx, bytes, length);
}

/* Runs what promises wait for: for a program that waits for events itself. */
static JSValue js_run_jobs(JSContext *ctx, JSValueConst, int, JSValueConst *) {
    JSContext *job_context;
    for (int result; (result = JS_ExecutePendingJob(JS_GetRuntime(ctx), &job_context)) != 0;)
        if (result < 0)
            JS_FreeValue(job_context, JS_GetException(job_context)); /* the promise has it */
    return JS_UNDEFINED;
}

/* Frees what only refers to itself; and for true gives back what is empty then. */
static JSValue js_collect(JSContext *ctx, JSValueConst, int, JSValueConst *argv) {
    JS_RunGC(JS_GetRuntime(ctx));
    if (JS_ToBool(ctx, argv[0]))
        memory_trim();
    return JS_UNDEFINED;
}

static JSValue js_forked(JSContext *, JSValueConst, int, JSValueConst *) {
    memory_forked();
    return JS_UNDEFINED;
}

static const JSCFunctionListEntry members[] = {
    JS_CFUNC_DEF("errno", 0, js_errno),
    JS_CFUNC_DEF("address", 1, js_address),
    JS_CFUNC_DEF("encode", 1, js_encode),
    JS_CFUNC_DEF("decode", 1, js_decode),
    JS_CFUNC_DEF("runJobs", 0, js_run_jobs),
    JS_CFUNC_DEF("collect", 1, js_collect),
    JS_CFUNC_DEF("forked", 0, js_forked),
#if defined(__x86_64__)
    JS_PROP_STRING_DEF("arch", "x64", JS_PROP_ENUMERABLE),
#elif defined(__aarch64__)
    JS_PROP_STRING_DEF("arch", "arm64", JS_PROP_ENUMERABLE),
#else
#error "reg knows the constants of x86-64 and arm64"
#endif
};

static JSValue strings(JSContext *ctx, char **list) {
    JSValue array = JS_NewArray(ctx);
    for (uint32_t i = 0; list[i] != NULL; i++)
        JS_SetPropertyUint32(ctx, array, i, string_from(ctx, (const uint8_t *)list[i], strlen(list[i])));
    return array;
}

/* QuickJS makes each function when it is first read. The table stays where it is: the engine points into it. */
static const JSCFunctionListEntry calls[] = {
#define FUNCTION(index, name) JS_CFUNC_MAGIC_DEF(name, 0, call, index),
    FUNCTIONS
#undef FUNCTION
};

void ffi_install(JSContext *ctx, int snapshot) {
    JSValue global = JS_GetGlobalObject(ctx);
    JSValue reg = JS_NewObject(ctx);
    JSValue libc = JS_NewObject(ctx);
    JS_SetPropertyFunctionList(ctx, libc, calls, sizeof calls / sizeof calls[0]);
    JS_SetPropertyFunctionList(ctx, reg, members, sizeof members / sizeof members[0]);
    JS_SetPropertyStr(ctx, reg, "libc", libc);
    JS_SetPropertyStr(ctx, reg, "snapshot", JS_NewBool(ctx, snapshot));
    JS_SetPropertyStr(ctx, global, "reg", reg);
    JS_FreeValue(ctx, global);
}

void ffi_set_arguments(JSContext *ctx, int argc, char **argv, char **environment, const int *held, int count) {
    JSValue global = JS_GetGlobalObject(ctx);
    JSValue reg = JS_GetPropertyStr(ctx, global, "reg");
    JS_SetPropertyStr(ctx, reg, "program", JS_NewString(ctx, argc > 0 ? argv[0] : ""));
    JS_SetPropertyStr(ctx, reg, "args", strings(ctx, argc > 0 ? argv + 1 : argv));
    JS_SetPropertyStr(ctx, reg, "environ", strings(ctx, environment));
    JSValue numbers = JS_NewArray(ctx);
    for (int i = 0; i < count; i++)
        JS_SetPropertyUint32(ctx, numbers, (uint32_t)i, JS_NewInt32(ctx, held[i]));
    JS_SetPropertyStr(ctx, reg, "held", numbers);
    JS_FreeValue(ctx, reg);
    JS_FreeValue(ctx, global);
}
