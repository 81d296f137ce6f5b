/* SPDX-License-Identifier: MIT
 * The engine's memory. A command lives for milliseconds: freed blocks wait on a list for their size, and nothing is given
 * back before the process ends; the shim, which lives on, gives back pages. While the snapshot is made, all memory lies in one
 * area at the address where the linker will put it, so that pointers in it stay true. */
#include "shim.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    GRAIN = 8, /* what the engine's values need */
    SMALL_LIMIT = 1024,
    SMALL_CLASSES = SMALL_LIMIT / GRAIN,
    STEPS = 4, /* above the limit: this many classes between two powers of two */
    CLASSES = SMALL_CLASSES + 1 + 40 * STEPS,
    PAGE = 4096,
    SNAPSHOT_LIMIT = 16 * 1024 * 1024,
    FIRST_AREA = 128 * 1024, /* about what a command needs */
    AREA = 32 * 1024,
    POPULATE_READ = 22, /* MADV_POPULATE_READ and _WRITE, Linux 5.14, which the headers may be older than */
    POPULATE_WRITE,
};

/* Before each block: how many bytes it has for its owner. A free block holds the next one of its list. */
struct header {
    size_t size;
};

/* At the start of each page, but for the snapshot's: how many of its blocks are in use. A large block has pages of its own. */
struct page {
    size_t used, length;
    struct page *next; /* among those that go */
};

/* What the snapshot begins with. */
struct arena {
    JSRuntime *runtime;
    JSContext *context;
    const void *landmarks[3];
    struct header *free[CLASSES];
    uint8_t *fresh, *fresh_end;
};

/* What the linker knows: the program's own pages are between the first two. */
extern const uint8_t __executable_start[], __init_array_start[], _end[];

static struct arena own, *arena = &own;

/* What has an address in this range lives for ever, and its reference count is never written: see immortal.sed. */
extern uintptr_t js_immortal_start, js_immortal_size;

static struct header **next_of(struct header *header) {
    return (struct header **)(header + 1);
}

/* Rounds a size up to that of its class and gives the list of its free blocks; NULL for what nobody can have. */
static struct header **list_of(size_t *size) {
    if (*size <= SMALL_LIMIT) {
        *size = (*size + GRAIN - 1) & ~(size_t)(GRAIN - 1);
        return &arena->free[*size / GRAIN];
    }
    unsigned power = 63 - (unsigned)__builtin_clzl(*size - 1); /* 2^power < size <= 2^(power + 1) */
    size_t step = ((size_t)1 << power) / STEPS;
    size_t steps = (*size - ((size_t)1 << power) + step - 1) / step;
    unsigned class = SMALL_CLASSES + power * STEPS + (unsigned)steps;
    *size = ((size_t)1 << power) + steps * step;
    return class < CLASSES ? &arena->free[class] : NULL;
}

/* What is in the snapshot, and in the rest of its last page, counts for one page that is always in use. */
static struct page *page_of(const struct header *header) {
    static struct page of_snapshot = {.used = 1};
    int in_snapshot = (uintptr_t)header - (uintptr_t)arena < SNAPSHOT_LIMIT;
    return in_snapshot ? &of_snapshot : (struct page *)((uintptr_t)header & ~(uintptr_t)(PAGE - 1));
}

static uint8_t *areas, *areas_end; /* the first area and those that the kernel has put right below */

static struct page *new_pages(size_t length) {
    static uint8_t *area, *area_end;
    static size_t area_size = FIRST_AREA;
    if ((size_t)(area_end - area) < length) {
        size_t whole = length > area_size ? length : area_size;
        int populate = whole == area_size ? MAP_POPULATE : 0; /* a fault for each page would cost more */
        uint8_t *memory = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | populate, -1, 0);
        if (memory == MAP_FAILED || whole > area_size) /* an area of its own: the rest of the last one can still be used */
            return memory == MAP_FAILED ? NULL : (struct page *)memory;
        area = memory;
        area_end = memory + whole;
        areas_end = areas_end == NULL ? area_end : areas_end;
        if (areas == NULL || (areas == area_end && areas_end - areas < 4 * FIRST_AREA))
            areas = area; /* of a heap that has become large, most is not written to by a child */
        area_size = AREA;
    }
    area += length;
    return (struct page *)(area - length);
}

static struct header *carve(size_t size) {
    size_t whole = size + sizeof(struct header);
    uint8_t *large, **from = &arena->fresh;
    if ((size_t)(arena->fresh_end - arena->fresh) < whole) {
        size_t length = (whole + sizeof(struct page) + PAGE - 1) & ~(size_t)(PAGE - 1);
        struct page *page = new_pages(length);
        if (page == NULL)
            return NULL;
        page->length = length;
        if (length > PAGE)
            from = &large;
        else
            arena->fresh_end = (uint8_t *)page + PAGE; /* what was left of the last page is small change */
        *from = (uint8_t *)(page + 1);
    }
    struct header *header = (struct header *)*from;
    *from += whole;
    header->size = size;
    return header;
}

static void *allocate(void *, size_t size) {
    struct header **list = size == 0 ? NULL : list_of(&size);
    if (list == NULL)
        return NULL;
    struct header *header = *list;
    if (header != NULL)
        *list = *next_of(header);
    else if ((header = carve(size)) == NULL)
        return NULL;
    page_of(header)->used++;
    return header + 1;
}

static void *allocate_zeroed(void *, size_t count, size_t size) {
    size_t whole;
    void *memory = __builtin_mul_overflow(count, size, &whole) ? NULL : allocate(NULL, whole);
    return memory == NULL ? NULL : memset(memory, 0, whole);
}

static void release(void *, void *memory) {
    if (memory == NULL || (uintptr_t)memory - js_immortal_start < js_immortal_size)
        return;
    struct header *header = (struct header *)memory - 1;
    size_t size = header->size;
    struct header **list = list_of(&size);
    *next_of(header) = *list;
    *list = header;
    page_of(header)->used--;
}

/* Gives the pages back in which nothing is in use. Not where the kernel's are larger (64 kB, arm64): others would go with them. */
void memory_trim(void) {
    if (getpagesize() != PAGE) return;
    struct page end, *page, *empty = &end;
    for (struct header **list = arena->free; list < arena->free + CLASSES; list++)
        for (struct header **link = list; *link != NULL;) {
            page = page_of(*link);
            if (page->used > 0 || (uint8_t *)page + PAGE == arena->fresh_end) {
                link = next_of(*link);
                continue;
            }
            *link = *next_of(*link);
            if (page->next == NULL)
                page->next = empty, empty = page;
        }
    while ((page = empty) != &end)
        empty = page->next, munmap(page, page->length);
}

/* The heap, which is about to be written to, and the program's pages, which fork(2) leaves out. Where a call fails each page comes at its time. */
void memory_forked(void) {
    for (uint8_t *part = areas; part < areas_end; part += AREA)
        madvise(part, AREA, POPULATE_WRITE);
    madvise((void *)__executable_start, (size_t)(__init_array_start - __executable_start), POPULATE_READ);
}

static size_t usable(const void *memory) {
    return memory == NULL ? 0 : ((const struct header *)memory - 1)->size;
}

static void *resize(void *, void *memory, size_t size) {
    if (size == 0) {
        release(NULL, memory);
        return NULL;
    }
    size_t present = usable(memory);
    if (present >= size)
        return memory;
    void *larger = allocate(NULL, size);
    if (larger != NULL && memory != NULL) {
        memcpy(larger, memory, present);
        release(NULL, memory);
    }
    return larger;
}

const JSMallocFunctions engine_memory = {allocate_zeroed, allocate, release, resize, usable};

#ifdef SNAPSHOT_ADDRESS

/* Addresses of the first and the last of what a snapshot can point to: the same in the binary that made it and in its user. */
static const void *const landmarks[3] = {__init_array_start, modules, _end};

/* Where snapshot.S puts the area that was written by snapshot_write; empty in the binary that writes it. */
extern uint8_t snapshot_start[], snapshot_end[];

JSContext *snapshot_restore(JSRuntime **runtime) {
    if (snapshot_end - snapshot_start < (ptrdiff_t)sizeof(struct arena))
        return NULL;
    arena = (struct arena *)snapshot_start;
    if (memcmp(arena->landmarks, landmarks, sizeof landmarks) != 0)
        abort(); /* build.sh runs the binary once, so nobody else sees this */
    js_immortal_start = (uintptr_t)arena;
    js_immortal_size = (uintptr_t)arena->fresh - (uintptr_t)arena;
    *runtime = arena->runtime;
    return arena->context;
}

int snapshot_begin(void) {
    void *area = (void *)SNAPSHOT_ADDRESS;
    /* Nothing is there but the empty section; qemu-user, which runs this for other machines, holds all between the sections. */
    if (mmap(area, SNAPSHOT_LIMIT, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != area)
        return -1;
    arena = area;
    arena->fresh = (uint8_t *)area + ((sizeof(struct arena) + GRAIN - 1) & ~(size_t)(GRAIN - 1));
    arena->fresh_end = (uint8_t *)area + SNAPSHOT_LIMIT;
    return 0;
}

int snapshot_write(const char *path, JSRuntime *runtime, JSContext *ctx) {
    size_t used = (size_t)(arena->fresh - (uint8_t *)arena);
    size_t length = (used + 4095) & ~(size_t)4095;
    arena->runtime = runtime;
    arena->context = ctx;
    memcpy(arena->landmarks, landmarks, sizeof landmarks);
    memset(arena->free, 0, sizeof arena->free); /* a page that is not written to need not be copied */
    arena->fresh_end = (uint8_t *)arena + length; /* the last page's rest can be used */
    FILE *file = fopen(path, "wb");
    return file != NULL && fwrite(arena, 1, length, file) == length && fclose(file) == 0 ? 0 : -1;
}

#endif
