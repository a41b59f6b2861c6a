/* Loaded into the program before its libraries (LD_PRELOAD): the disk calls for files below FAULT_FOLDER do what the file FAULT_ORDERS
   says at that moment.

     (empty)        what they always do
     fail N         they fail with errno N
     hang           they wait until the orders are others
     hang-db        so do those for the file `db` alone

   With FAULT_DIE_AT=N the process kills itself before the Nth of these calls, and FAULT_COUNT names a file that tells afterwards how many
   there were. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static atomic_int calls;

static int below(const char *path) {
    const char *folder = getenv("FAULT_FOLDER");
    return folder && strncmp(path, folder, strlen(folder)) == 0;
}

static int path_of(int fd, char *path, size_t size) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, size - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return below(path);
}

static void orders(char *text, size_t size) {
    const char *name = getenv("FAULT_ORDERS");
    text[0] = 0;
    if (!name) return;
    int fd = REAL(open64)(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    ssize_t length = read(fd, text, size - 1);
    text[length < 0 ? 0 : length] = 0;
    close(fd);
}

static void count_one(void) {
    const char *last = getenv("FAULT_DIE_AT"), *name = getenv("FAULT_COUNT");
    int n = atomic_fetch_add(&calls, 1) + 1;
    if (last && n == atoi(last)) kill(getpid(), SIGKILL);
    if (name) {
        char text[16];
        int fd = REAL(open64)(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0) return;
        int length = snprintf(text, sizeof text, "%9d\n", n);
        if (REAL(pwrite64)(fd, text, length, 0) < 0) abort();
        close(fd);
    }
}

/* Whether the call is to fail; errno says how then. */
static int faulty(const char *path) {
    char text[32];
    const char *name = strrchr(path, '/');
    int is_db = name && strcmp(name, "/db") == 0;
    count_one();
    for (;;) {
        orders(text, sizeof text);
        int all = strncmp(text, "hang\n", 5) == 0, db = strncmp(text, "hang-db\n", 8) == 0;
        if (!all && !(db && is_db)) break;
        usleep(2000);
    }
    if (strncmp(text, "fail ", 5) != 0) return 0;
    errno = atoi(text + 5);
    return 1;
}

#define FAULTY(fd) ({ char path[4096]; path_of(fd, path, sizeof path) && faulty(path); })

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
    return FAULTY(fd) ? -1 : REAL(pwrite64)(fd, bytes, count, at);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) {
    return FAULTY(fd) ? -1 : REAL(pwrite)(fd, bytes, count, at);
}

int fsync(int fd) { return FAULTY(fd) ? -1 : REAL(fsync)(fd); }

int fdatasync(int fd) { return FAULTY(fd) ? -1 : REAL(fdatasync)(fd); }

int ftruncate64(int fd, off64_t length) { return FAULTY(fd) ? -1 : REAL(ftruncate64)(fd, length); }

int sync_file_range(int fd, off64_t at, off64_t count, unsigned int flags) {
    return FAULTY(fd) ? -1 : REAL(sync_file_range)(fd, at, count, flags);
}

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    if ((flags & O_ACCMODE) != O_RDONLY && below(path) && faulty(path)) return -1;
    return REAL(open64)(path, flags, mode);
}
