/*
 * Faults of the disk and of the clock for one process, by LD_PRELOAD. Test code: compiled by the harness when it runs,
 * never part of the server.
 *
 * FAULTS_DATA     folder whose files are watched
 * FAULTS_SHADOW   folder that holds what a loss of power would leave: each file as its last sync saw it
 * FAULTS_CONTROL  file with the numbers of `struct control`, which the harness writes and this process reads
 *
 * The model of power: a write is in the file at once and in the shadow after a sync. A sync that fails leaves its writes
 * out of the shadow for ever, as Linux file systems mark such pages clean: only writing them again helps.
 * Names of files count as soon as they exist. Memory maps are not watched (SQLite maps only its -shm, which is rebuilt).
 *
 * Not here: what is done with the shadow (power.rs), when faults come (the scenarios).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct control {
    volatile uint32_t sync_errno;   /* what a sync fails with; 0: it does not */
    volatile uint32_t sync_errors;  /* how many more times */
    volatile uint32_t write_errno;  /* the same for writes */
    volatile uint32_t write_errors;
    volatile uint32_t delay_ms;     /* what each sync takes longer */
    volatile uint32_t stall;        /* syncs do not end while this is not 0 */
    volatile uint32_t lie;          /* syncs do nothing and say that they did */
    volatile uint32_t syncs;        /* counted here: syncs that ended well */
    volatile uint32_t refused;      /* counted here: faults given */
    volatile uint32_t stalled;      /* counted here: syncs that wait now */
    volatile int64_t clock_ms;      /* added to the time of day */
};

#define FDS 65536
#define FILES 256
#define PAGE 4096

struct range { off_t at; off_t end; };
struct file {
    char name[128];           /* within the folder, with / as it is */
    struct range *ranges;     /* written and not synced */
    size_t count, room;
};

static struct control none, *control = &none;
static char data[PATH_MAX], shadow[PATH_MAX];
static struct file files[FILES];
static short file_of[FDS];    /* number of the file and one more */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int (*real_open)(const char *, int, ...);
static int (*real_close)(int);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_ftruncate)(int, off_t);
static int (*real_unlink)(const char *);
static int (*real_rename)(const char *, const char *);
static int (*real_clock_gettime)(clockid_t, struct timespec *);

static void *next(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (!found) abort();
    return found;
}

__attribute__((constructor)) static void begin(void) {
    if (real_open) return;
    real_close = next("close");
    real_write = next("write");
    real_pwrite = next("pwrite64");
    real_fsync = next("fsync");
    real_fdatasync = next("fdatasync");
    real_ftruncate = next("ftruncate64");
    real_unlink = next("unlink");
    real_rename = next("rename");
    real_clock_gettime = next("clock_gettime");
    real_open = next("open64");
    const char *path = getenv("FAULTS_CONTROL");
    if (path) {
        int fd = real_open(path, O_RDWR | O_CLOEXEC);
        if (fd >= 0) {
            void *at = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
            if (at != MAP_FAILED) control = at;
            real_close(fd);
        }
    }
    const char *folder = getenv("FAULTS_DATA");
    if (folder) snprintf(data, sizeof data, "%s/", folder);
    folder = getenv("FAULTS_SHADOW");
    if (folder) snprintf(shadow, sizeof shadow, "%s", folder);
}

/* The part of a path within the folder, if its content is to survive. */
static const char *watched(const char *path) {
    size_t length = strlen(data);
    if (!length || strncmp(path, data, length) != 0) return NULL;
    const char *name = path + length, *end = strrchr(name, '-');
    if (strlen(name) >= sizeof files[0].name || strchr(name, '/')) return NULL;
    if (end && strcmp(end, "-shm") == 0) return NULL;
    end = strrchr(name, '.');
    if (end && (strcmp(end, ".lock") == 0 || strcmp(end, ".sock") == 0)) return NULL;
    return name;
}

static int number(const char *name) {
    int free_one = -1;
    for (int i = 0; i < FILES; i++) {
        if (strcmp(files[i].name, name) == 0) return i;
        if (free_one < 0 && !files[i].name[0]) free_one = i;
    }
    if (free_one >= 0) strcpy(files[free_one].name, name);
    return free_one;
}

static int opened(int fd, const char *path) {
    const char *name;
    if (fd >= 0 && fd < FDS && (name = watched(path))) {
        pthread_mutex_lock(&lock);
        file_of[fd] = number(name) + 1;
        pthread_mutex_unlock(&lock);
    }
    return fd;
}

static struct file *of(int fd) {
    return fd >= 0 && fd < FDS && file_of[fd] ? &files[file_of[fd] - 1] : NULL;
}

static void note(struct file *file, off_t at, off_t end) {
    pthread_mutex_lock(&lock);
    at -= at % PAGE;
    end += (PAGE - end % PAGE) % PAGE;
    struct range *last = file->count ? &file->ranges[file->count - 1] : NULL;
    if (last && at >= last->at && at <= last->end) {
        if (end > last->end) last->end = end;
    } else {
        if (file->count == file->room) {
            file->room = file->room ? 2 * file->room : 64;
            file->ranges = realloc(file->ranges, file->room * sizeof *file->ranges);
            if (!file->ranges) abort();
        }
        file->ranges[file->count++] = (struct range){at, end};
    }
    pthread_mutex_unlock(&lock);
}

static int shadow_open(const struct file *file) {
    char path[PATH_MAX + 256];
    snprintf(path, sizeof path, "%s/%s", shadow, file->name);
    return real_open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
}

/* Copies what was written and not synced. */
static void settle(int fd, struct file *file) {
    struct range *ranges;
    size_t count;
    pthread_mutex_lock(&lock);
    ranges = file->ranges;
    count = file->count;
    file->ranges = NULL;
    file->count = file->room = 0;
    pthread_mutex_unlock(&lock);
    int out = shadow[0] ? shadow_open(file) : -1;
    if (out >= 0) {
        static __thread char buffer[1 << 16];
        for (size_t i = 0; i < count; i++) {
            for (off_t at = ranges[i].at; at < ranges[i].end;) {
                size_t want = ranges[i].end - at < (off_t)sizeof buffer ? (size_t)(ranges[i].end - at) : sizeof buffer;
                ssize_t got = pread(fd, buffer, want, at);
                if (got <= 0 || real_pwrite(out, buffer, got, at) != got) break;
                at += got;
            }
        }
        struct stat now;
        if (fstat(fd, &now) == 0 && real_ftruncate(out, now.st_size) != 0) abort();
        real_close(out);
    }
    free(ranges);
}

static void forget(struct file *file) {
    pthread_mutex_lock(&lock);
    file->count = 0;
    pthread_mutex_unlock(&lock);
}

/* Whether a fault is due; takes it. */
static int due(volatile uint32_t *code, volatile uint32_t *count) {
    if (!*code) return 0;
    uint32_t left = *count;
    while (left && !__sync_bool_compare_and_swap(count, left, left - 1)) left = *count;
    if (!left) return 0;
    __sync_fetch_and_add(&control->refused, 1);
    errno = (int)*code;
    return 1;
}

static void nap(uint32_t ms) {
    struct timespec time = {ms / 1000, (long)(ms % 1000) * 1000000};
    while (nanosleep(&time, &time) != 0 && errno == EINTR) {}
}

static int sync_as(int fd, int (*real)(int)) {
    struct file *file = of(fd);
    if (!file) return real(fd);
    if (control->delay_ms) nap(control->delay_ms);
    __sync_fetch_and_add(&control->stalled, 1);
    while (control->stall) nap(5);
    __sync_fetch_and_sub(&control->stalled, 1);
    if (due(&control->sync_errno, &control->sync_errors)) {
        int code = errno;
        forget(file);
        errno = code;
        return -1;
    }
    if (control->lie) return 0;
    int done = real(fd);
    if (done == 0) {
        settle(fd, file);
        __sync_fetch_and_add(&control->syncs, 1);
    }
    return done;
}

int fsync(int fd) { begin(); return sync_as(fd, real_fsync); }
int fdatasync(int fd) { begin(); return sync_as(fd, real_fdatasync); }

#define OPEN()                                            \
    mode_t mode = 0;                                      \
    if (flags & (O_CREAT | O_TMPFILE)) {                  \
        va_list more;                                     \
        va_start(more, flags);                            \
        mode = va_arg(more, mode_t);                      \
        va_end(more);                                     \
    }                                                     \
    begin();

int open(const char *path, int flags, ...) { OPEN() return opened(real_open(path, flags, mode), path); }
int open64(const char *path, int flags, ...) { OPEN() return opened(real_open(path, flags, mode), path); }

int close(int fd) {
    begin();
    if (fd >= 0 && fd < FDS) file_of[fd] = 0;
    return real_close(fd);
}

ssize_t write(int fd, const void *bytes, size_t count) {
    begin();
    struct file *file = of(fd);
    if (!file) return real_write(fd, bytes, count);
    if (due(&control->write_errno, &control->write_errors)) return -1;
    off_t at = lseek(fd, 0, SEEK_CUR);
    ssize_t done = real_write(fd, bytes, count);
    if (done > 0) note(file, at, at + done);
    return done;
}

static ssize_t pwrite_as(int fd, const void *bytes, size_t count, off_t at) {
    begin();
    struct file *file = of(fd);
    if (!file) return real_pwrite(fd, bytes, count, at);
    if (due(&control->write_errno, &control->write_errors)) return -1;
    ssize_t done = real_pwrite(fd, bytes, count, at);
    if (done > 0) note(file, at, at + done);
    return done;
}
ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) { return pwrite_as(fd, bytes, count, at); }
ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) { return pwrite_as(fd, bytes, count, at); }

static int truncate_as(int fd, off_t size) {
    begin();
    struct file *file = of(fd);
    if (file && due(&control->write_errno, &control->write_errors)) return -1;
    /* The new size reaches the shadow with the next sync. */
    return real_ftruncate(fd, size);
}
int ftruncate(int fd, off_t size) { return truncate_as(fd, size); }
int ftruncate64(int fd, off64_t size) { return truncate_as(fd, size); }

int unlink(const char *path) {
    begin();
    int done = real_unlink(path);
    const char *name = done == 0 ? watched(path) : NULL;
    if (name) {
        char gone[PATH_MAX + 256];
        snprintf(gone, sizeof gone, "%s/%s", shadow, name);
        real_unlink(gone);
    }
    return done;
}

int rename(const char *from, const char *to) {
    begin();
    int done = real_rename(from, to);
    const char *old = watched(from), *now = watched(to);
    if (done == 0 && old && now) {
        char one[PATH_MAX + 256], other[PATH_MAX + 256];
        snprintf(one, sizeof one, "%s/%s", shadow, old);
        snprintf(other, sizeof other, "%s/%s", shadow, now);
        real_rename(one, other);
    }
    return done;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    begin();
    int done = real_clock_gettime(clock, time);
    int64_t shift = control->clock_ms;
    if (done == 0 && shift && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        int64_t ns = (int64_t)time->tv_sec * 1000000000 + time->tv_nsec + shift * 1000000;
        time->tv_sec = ns / 1000000000;
        time->tv_nsec = ns % 1000000000;
    }
    return done;
}
