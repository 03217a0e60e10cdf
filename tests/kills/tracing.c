/* What a process does to the files of one folder, written down as it happens: for images of what a disk holds when the
   power fails (power.py).

   Loaded before libc (LD_PRELOAD). TRACED is the folder, TRACE the file that records are appended to: one byte for what
   was done, one for the length of the name, eight for an offset, four for the length of the data (little endian), then
   name and data.
     O a file was made   W bytes were written   T a file was cut to a size   S a file was synchronised
     D the folder was    U a name was removed   R a file was renamed (the new name is the data)
   Files that end in -shm are left out: they are memory, and are made anew after a power cut. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { FILES = 4096, NAME = 256 };

static char names[FILES][NAME]; /* of open files in the folder; "." is the folder itself */
static const char *folder;
static size_t folder_length;
static int trace = -1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

__attribute__((constructor)) static void begin(void) {
    const char *to = getenv("TRACE");
    folder = getenv("TRACED");
    if (!folder || !to) return;
    folder_length = strlen(folder);
    REAL(int, "open", const char *, int, ...);
    trace = real(to, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

/* The name of a path in the folder, "." for the folder, or nothing. */
static const char *within(const char *path) {
    if (trace < 0 || !path || strncmp(path, folder, folder_length)) return NULL;
    const char *rest = path + folder_length;
    if (!*rest) return ".";
    size_t length = strlen(rest);
    if (*rest != '/' || strchr(rest + 1, '/') || length > NAME - 1) return NULL;
    return length > 4 && !strcmp(rest + length - 4, "-shm") ? NULL : rest + 1;
}

static const char *of(int fd) { return fd >= 0 && fd < FILES && names[fd][0] ? names[fd] : NULL; }

static void note(char what, const char *name, uint64_t offset, const void *data, uint32_t size) {
    uint8_t length = strlen(name), head[14] = {what, length};
    memcpy(head + 2, &offset, 8), memcpy(head + 10, &size, 4);
    struct iovec parts[] = {{head, 14}, {(void *)name, length}, {(void *)data, size}};
    if (writev(trace, parts, 3) != (ssize_t)(14 + length + size)) abort();
}

static int opened(const char *path, int flags, mode_t mode, int (*real)(const char *, int, ...)) {
    const char *name = within(path);
    if (!name) return real(path, flags, mode);
    pthread_mutex_lock(&lock);
    struct stat there;
    int new = stat(path, &there) != 0, fd = real(path, flags, mode);
    if (fd >= 0) {
        if (fd >= FILES) abort();
        strcpy(names[fd], name);
        if (new) note('O', name, 0, "", 0);
        else if (flags & O_TRUNC) note('T', name, 0, "", 0);
    }
    pthread_mutex_unlock(&lock);
    return fd;
}

static mode_t mode_of(int flags, va_list more) { return flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0; }

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        REAL(int, #name, const char *, int, ...); \
        va_list more; \
        va_start(more, flags); \
        mode_t mode = mode_of(flags, more); \
        va_end(more); \
        return opened(path, flags, mode, real); \
    }
OPEN(open)
OPEN(open64)

int close(int fd) {
    REAL(int, "close", int);
    if (of(fd)) names[fd][0] = 0;
    return real(fd);
}

static ssize_t written(int fd, const void *data, off64_t offset, ssize_t count) {
    if (of(fd) && count > 0) note('W', of(fd), offset, data, count);
    return count;
}

#define PWRITE(name) \
    ssize_t name(int fd, const void *data, size_t size, off64_t offset) { \
        REAL(ssize_t, #name, int, const void *, size_t, off64_t); \
        return written(fd, data, offset, real(fd, data, size, offset)); \
    }
PWRITE(pwrite)
PWRITE(pwrite64)

ssize_t write(int fd, const void *data, size_t size) {
    REAL(ssize_t, "write", int, const void *, size_t);
    off64_t offset = of(fd) ? lseek64(fd, 0, SEEK_CUR) : 0;
    return written(fd, data, offset, real(fd, data, size));
}

#define TRUNCATE(name) \
    int name(int fd, off64_t size) { \
        REAL(int, #name, int, off64_t); \
        int done = real(fd, size); \
        if (!done && of(fd)) note('T', of(fd), size, "", 0); \
        return done; \
    }
TRUNCATE(ftruncate)
TRUNCATE(ftruncate64)

#define SYNC(name) \
    int name(int fd) { \
        REAL(int, #name, int); \
        int done = real(fd); \
        if (!done && of(fd)) note(strcmp(of(fd), ".") ? 'S' : 'D', of(fd), 0, "", 0); \
        return done; \
    }
SYNC(fsync)
SYNC(fdatasync)

int unlink(const char *path) {
    REAL(int, "unlink", const char *);
    int done = real(path);
    if (!done && within(path)) note('U', within(path), 0, "", 0);
    return done;
}

int rename(const char *from, const char *to) {
    REAL(int, "rename", const char *, const char *);
    int done = real(from, to);
    if (!done && within(from) && within(to)) note('R', within(from), 0, within(to), strlen(within(to)));
    return done;
}
