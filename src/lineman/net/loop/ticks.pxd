# The functions of ticks.py as C has them.

cdef extern from "lineman/net/loop/ticks.h":
    ctypedef struct Instant "lineman_instant":
        pass

    Instant beginning "lineman_ticks_beginning"() noexcept
    bint has_moved "lineman_ticks_moved"(Instant since) noexcept
    Instant look "lineman_ticks_look"(Instant last) noexcept
    double seconds "lineman_ticks_seconds"(Instant seen) noexcept
