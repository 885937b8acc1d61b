/* The clock, which is asked for after every message. What the processor counts is read in one
   instruction, and the kernel's clock only where that has moved on by a twentieth of a millisecond
   or so. */
#ifndef LINEMAN_TICKS_H
#define LINEMAN_TICKS_H

#include <stdint.h>
#include <time.h>

#if defined(__x86_64__) || defined(__i386__)
#include <x86intrin.h>
/* 1 to 5 of these are a nanosecond on every processor there is. */
#define LINEMAN_TICKS() ((uint64_t)__rdtsc())
#define LINEMAN_TICKS_APART() ((uint64_t)100000)
#elif defined(__aarch64__)
static inline uint64_t lineman_counter(void)
{
    uint64_t count;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(count));
    return count;
}
static inline uint64_t lineman_frequency(void)
{
    uint64_t hertz;
    __asm__ volatile("mrs %0, cntfrq_el0" : "=r"(hertz));
    return hertz;
}
#define LINEMAN_TICKS() lineman_counter()
#define LINEMAN_TICKS_APART() (lineman_frequency() / 20000)
#else
#define LINEMAN_TICKS() ((uint64_t)0)
#define LINEMAN_TICKS_APART() ((uint64_t)0)
#endif

typedef struct {
    uint64_t ticks;
    double seconds;
} lineman_instant;

static inline lineman_instant lineman_ticks_beginning(void)
{
    lineman_instant none = {0, 0.0};
    return none;
}

static inline int lineman_ticks_moved(lineman_instant since)
{
    return LINEMAN_TICKS() - since.ticks >= LINEMAN_TICKS_APART();
}

static inline lineman_instant lineman_ticks_look(lineman_instant last)
{
    lineman_instant seen = {LINEMAN_TICKS(), 0.0};
    struct timespec time;
    if (seen.ticks - last.ticks < LINEMAN_TICKS_APART()) return last;
    clock_gettime(CLOCK_MONOTONIC, &time);
    seen.seconds = (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
    return seen;
}

static inline double lineman_ticks_seconds(lineman_instant seen)
{
    return seen.seconds;
}

#endif
