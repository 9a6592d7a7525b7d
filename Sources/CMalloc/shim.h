#pragma once
#include <stdlib.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

/// Blocks shorter than this come from what was freed before, and up to this much that is free is not given back.
static inline void sluice_keep_freed_memory(int byte_count) {
#ifdef __GLIBC__
    // Where the allocator refuses, it goes on as before.
    mallopt(M_MMAP_THRESHOLD, byte_count);
    mallopt(M_TRIM_THRESHOLD, byte_count);
    // Each arena keeps as much, and there would be eight for each processor.
    mallopt(M_ARENA_MAX, 2);
#endif
}
