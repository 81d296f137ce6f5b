# Objects of the snapshot live for ever: their reference counts are neither written nor read.
#
# Most of what a command touches of the snapshot it only reads, but for the counts; and a page that is written to has to be copied by the kernel, in
# the runtime and once more in init. With this, `run` takes 330 page faults instead of 740.
#
# It is applied to the engine's quickjs.c, with sed -E, where the source is fetched. The range is empty until memory.c has found a snapshot.
/^#define JS_REF_COUNT/ {
    a\
uintptr_t js_immortal_start, js_immortal_size;\
static inline bool js_immortal(const void *p) { return (uintptr_t)p - js_immortal_start < js_immortal_size; }\
static inline int js_count(const void *p) { return js_immortal(p) ? INT_MAX : js_rc(p)->ref_count; }\
static inline void js_ref(const void *p) { if (!js_immortal(p)) js_rc(p)->ref_count++; }\
static inline int js_unref(const void *p) { return js_immortal(p) ? INT_MAX : --js_rc(p)->ref_count; }
    b
}
# Small blocks come from native-shim/memory.c too: the engine's own arenas would put new objects between those of the snapshot.
s/(#define JS_ARENA_LARGE_BLOCKS_ONLY) 0/\1 1/
# What belongs to one object alone has its true count, and so has what is checked or moved.
/assert\(/s/JS_REF_COUNT\(([^()]*(\([^()]*\)[^()]*)*)\)/js_rc(\1)->ref_count/g
s/JS_REF_COUNT\((.*)\) = JS_REF_COUNT\((.*)\)/js_rc(\1)->ref_count = js_rc(\2)->ref_count/
s/--JS_REF_COUNT\(/js_unref(/g
s/JS_REF_COUNT\(([^()]*(\([^()]*\)[^()]*)*)\)\+\+/js_ref(\1)/g
s/JS_REF_COUNT\(([^()]*(\([^()]*\)[^()]*)*)\)--/js_unref(\1)/g
# Setting the count of a new object stays as it is; every other use asks for it.
/JS_REF_COUNT\([^()]*(\([^()]*\)[^()]*)*\) = /!s/JS_REF_COUNT\(/js_count(/g
# The same source gives the same binary: the seed of Math.random, which nothing calls, and of the order inside maps is no time of the build. What is
# linked into a binary that anybody can read was never a secret.
s/(ctx->random_state = )js__gettimeofday_us\(\)/\11/
