/* Counts a program's memory allocations, in a file that other processes can read while the program runs.
 *
 *   clang -O2 -shared -fPIC -o count-allocations.so count-allocations.c
 *   ALLOCATION_COUNT=/tmp/count LD_PRELOAD=./count-allocations.so PROGRAM …
 *
 * The file holds one 64-bit number in the machine's byte order. An existing file is not reset, so that several programs
 * can share one counter. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);

static _Atomic uint64_t early;
static _Atomic uint64_t *calls = &early;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("ALLOCATION_COUNT");
    int file = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (file < 0) return;
    if (ftruncate(file, sizeof *calls) == 0) {
        void *map = mmap(NULL, sizeof *calls, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        if (map != MAP_FAILED) calls = map;
    }
    close(file);
}

static inline void count(void) { atomic_fetch_add_explicit(calls, 1, memory_order_relaxed); }

void *malloc(size_t size) { count(); return __libc_malloc(size); }

void *calloc(size_t number, size_t size) { count(); return __libc_calloc(number, size); }

void *realloc(void *old, size_t size) { count(); return __libc_realloc(old, size); }

void *memalign(size_t alignment, size_t size) { count(); return __libc_memalign(alignment, size); }

void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void **result, size_t alignment, size_t size) {
    void *memory = memalign(alignment, size);
    if (memory) *result = memory;
    return memory ? 0 : ENOMEM;
}
