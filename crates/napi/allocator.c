// What this library's code asks of libc's allocator, mimalloc answers: build.rs has the linker put these in the place of the
// names without `__wrap_`. Node and other addons keep their malloc.
//
// librdkafka makes each message on a broker's thread, and another thread frees it: libc's malloc answers that with a lock, and
// with pages that go back to the kernel and come again. `npm run bench -- --shapes consume` shows the difference.
//
// Memory that libc allocates must not come to `mi_free`: the functions of libc whose result the caller has to free are here,
// too, and a test looks at what the addon imports.

#include <stddef.h>

#define HIDDEN __attribute__((visibility("hidden")))

void *mi_malloc(size_t size);
void *mi_calloc(size_t count, size_t size);
void *mi_realloc(void *memory, size_t size);
void mi_free(void *memory);
int mi_posix_memalign(void **memory, size_t alignment, size_t size);
char *mi_strdup(const char *text);
char *mi_strndup(const char *text, size_t size);
char *mi_realpath(const char *path, char *resolved);
char *__real_realpath(const char *path, char *resolved);

HIDDEN void *__wrap_malloc(size_t size) { return mi_malloc(size); }
HIDDEN void *__wrap_calloc(size_t count, size_t size) { return mi_calloc(count, size); }
HIDDEN void *__wrap_realloc(void *memory, size_t size) { return mi_realloc(memory, size); }
HIDDEN void __wrap_free(void *memory) { mi_free(memory); }
HIDDEN int __wrap_posix_memalign(void **memory, size_t alignment, size_t size) { return mi_posix_memalign(memory, alignment, size); }
HIDDEN char *__wrap_strdup(const char *text) { return mi_strdup(text); }
HIDDEN char *__wrap_strndup(const char *text, size_t size) { return mi_strndup(text, size); }
// mimalloc's own calls libc's with a buffer.
HIDDEN char *__wrap_realpath(const char *path, char *resolved) { return resolved ? __real_realpath(path, resolved) : mi_realpath(path, NULL); }
