/* SPDX-License-Identifier: MIT
 * The engine's memory. A command lives for milliseconds: memory comes from the kernel in large steps, with its pages in
 * place, freed blocks wait on a list for their size, and nothing is given back before the process ends. */
#include "shim.h"

#include <string.h>
#include <sys/mman.h>

enum {
    GRAIN = 16,
    SMALL_CLASSES = 64, /* blocks up to 1 KiB, by 16 bytes */
    LARGE_CLASSES = 40, /* above, by powers of two */
    STEP = 256 * 1024,
};

/* Before each block: how many bytes it has for its owner. */
struct header {
    size_t size;
    struct header *next; /* on a free list; keeps blocks aligned to 16 otherwise */
};

static struct header *small_free[SMALL_CLASSES + 1];
static struct header *large_free[LARGE_CLASSES];
static uint8_t *fresh, *fresh_end;

static unsigned large_class(size_t size) {
    return 64 - (unsigned)__builtin_clzl(size - 1);
}

static struct header *carve(size_t size) {
    size_t whole = size + sizeof(struct header);
    if ((size_t)(fresh_end - fresh) < whole) {
        size_t length = whole > STEP ? (whole + 4095) & ~(size_t)4095 : STEP;
        uint8_t *area =
            mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | (length == STEP ? MAP_POPULATE : 0), -1, 0);
        if (area == MAP_FAILED)
            return NULL;
        fresh = area; /* what was left of the last step is small change */
        fresh_end = area + length;
    }
    struct header *header = (struct header *)fresh;
    fresh += whole;
    header->size = size;
    return header;
}

static void *allocate(JSMallocState *state, size_t size) {
    (void)state;
    if (size == 0)
        return NULL;
    struct header **list;
    if (size <= (size_t)SMALL_CLASSES * GRAIN) {
        size = (size + GRAIN - 1) & ~(size_t)(GRAIN - 1);
        list = &small_free[size / GRAIN];
    } else {
        unsigned class = large_class(size);
        if (class >= LARGE_CLASSES)
            return NULL;
        size = (size_t)1 << class;
        list = &large_free[class];
    }
    struct header *header = *list;
    if (header != NULL)
        *list = header->next;
    else if ((header = carve(size)) == NULL)
        return NULL;
    return header + 1;
}

static void release(JSMallocState *state, void *memory) {
    (void)state;
    if (memory == NULL)
        return;
    struct header *header = (struct header *)memory - 1;
    size_t size = header->size;
    struct header **list =
        size <= (size_t)SMALL_CLASSES * GRAIN ? &small_free[size / GRAIN] : &large_free[large_class(size)];
    header->next = *list;
    *list = header;
}

static size_t usable(const void *memory) {
    return memory == NULL ? 0 : ((const struct header *)memory - 1)->size;
}

static void *resize(JSMallocState *state, void *memory, size_t size) {
    if (size == 0) {
        release(state, memory);
        return NULL;
    }
    size_t present = usable(memory);
    if (present >= size && memory != NULL)
        return memory;
    void *larger = allocate(state, size);
    if (larger != NULL && memory != NULL) {
        memcpy(larger, memory, present);
        release(state, memory);
    }
    return larger;
}

const JSMallocFunctions engine_memory = {allocate, release, resize, usable};
