/* SPDX-License-Identifier: MIT
 * The engine, and what reg needs of its inside. It is compiled as if it stood at the end of quickjs.c. */
#include "quickjs.c"

/* See shim.h. The objects stay linked among themselves, which is all that the engine needs to let go of one. */
void engine_settle_objects(JSRuntime *rt) {
    static struct list_head settled;
    struct list_head *objects = &rt->gc_obj_list;
    if (list_empty(objects))
        return;
    settled = *objects;
    settled.next->prev = &settled;
    settled.prev->next = &settled;
    init_list_head(objects);
    rt->stack_top = rt->stack_limit = 0; /* JS_UpdateStackTop says where the stack of a process is; that of the build is nobody's business */
}
