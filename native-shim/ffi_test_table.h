/* SPDX-License-Identifier: MIT
 * The table of ffi_test.c, in the form that table.ts gives to the real one. */
int probe_int(int);
unsigned probe_uint(unsigned);
long probe_long(long);
unsigned long probe_ulong(unsigned long);
long probe_string(const char *);
long probe_first(const uint8_t *);
void *probe_pointer(void *);
void probe_void(void);
int probe_errno(int);
long probe_six(int, unsigned, long, unsigned long, const char *, const uint8_t *);

#define PROBE(function) ((void (*)(void))function)
static const struct function functions[] = {
    {"int", PROBE(probe_int), "ii"},         {"uint", PROBE(probe_uint), "uu"},
    {"long", PROBE(probe_long), "ll"},       {"ulong", PROBE(probe_ulong), "Ll"},
    {"string", PROBE(probe_string), "ls"},   {"first", PROBE(probe_first), "lp"},
    {"pointer", PROBE(probe_pointer), "pp"}, {"void", PROBE(probe_void), "v"},
    {"errno", PROBE(probe_errno), "ii"},     {"six", PROBE(probe_six), "liullsp"},
};

#define FUNCTIONS \
    FUNCTION(0, "int") FUNCTION(1, "uint") FUNCTION(2, "long") FUNCTION(3, "ulong") FUNCTION(4, "string") \
    FUNCTION(5, "first") FUNCTION(6, "pointer") FUNCTION(7, "void") FUNCTION(8, "errno") FUNCTION(9, "six")
