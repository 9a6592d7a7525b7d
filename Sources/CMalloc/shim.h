#pragma once
#include <stdlib.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

/// Takes blocks shorter than this from freed memory instead of mapping them, and keeps up to this much free memory.
static inline void sluice_keep_freed_memory(int byte_count) {
#ifdef __GLIBC__
    // The results are ignored: without these settings the allocator works too, only more slowly.
    mallopt(M_MMAP_THRESHOLD, byte_count);
    mallopt(M_TRIM_THRESHOLD, byte_count);
    // Each arena keeps that much, and by default there are up to eight arenas per processor.
    mallopt(M_ARENA_MAX, 2);
#endif
}
