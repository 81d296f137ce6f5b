/* SPDX-License-Identifier: MIT
 * The snapshot of the engine's memory, which build.sh has the linker put at SNAPSHOT_ADDRESS. */
    .section .snapshot, "aw", %progbits
    .globl snapshot_start, snapshot_end
snapshot_start:
    .incbin SNAPSHOT_FILE
snapshot_end:
    .section .note.GNU-stack, "", %progbits
