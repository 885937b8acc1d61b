# The clock is asked for after every message. What the processor counts is read in one instruction,
# and the kernel's clock only where that has moved on by a twentieth of a millisecond or so.

cimport cython

cdef extern from *:
    """
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
    /* Whether `now` may be another than it was; always with a clock of a test's, which counts none. */
    static inline int lineman_has_moved(uint64_t ticks)
    {
        return LINEMAN_TICKS() - ticks >= LINEMAN_TICKS_APART();
    }
    /* Brings `now`, in seconds, up to date. */
    static inline void lineman_look(uint64_t *ticks, double *now)
    {
        uint64_t seen = LINEMAN_TICKS();
        struct timespec time;
        if (seen - *ticks < LINEMAN_TICKS_APART()) return;
        *ticks = seen;
        clock_gettime(CLOCK_MONOTONIC, &time);
        *now = (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
    }
    """
    ctypedef unsigned long long uint64_t
    int lineman_has_moved(uint64_t ticks) noexcept nogil
    void lineman_look(uint64_t *ticks, double *now) noexcept nogil

cdef double _LATE, _READY_TIME, _QUEUE_TIME, _READY_SHARE_TIME, _SHARE_TIME
cdef int _STEPS

@cython.final
cdef class Turn:
    cdef object _clock
    cdef uint64_t _ticks
    cdef double _now
    cdef double _begun
    cdef double _ends
    cdef double _share_ends
    cdef int _left
    cdef readonly bint serves_queue

    cpdef begin(self)
    cpdef begin_queue(self)
    cpdef bint is_over(self) except? -1
    cpdef bint is_late(self) except? -1
    @cython.locals(share=double)
    cpdef begin_share(self)
    cpdef bint spend(self) except? -1
    cdef bint has_spent(self) except? -1
    cdef _look(self)

# The first half of `Turn.spend`, without a call, for it is asked after every message: whether
# `has_spent` must be asked too, which most often it need not.
cdef inline bint lineman_step(Turn turn) noexcept:
    turn._left -= 1
    return turn._left <= 0 or lineman_has_moved(turn._ticks)
