cimport cython

from lineman.net.loop cimport ticks

cdef double _LATE, _READY_TIME, _QUEUE_TIME, _READY_SHARE_TIME, _SHARE_TIME
cdef int _STEPS

@cython.final
cdef class Turn:
    cdef object _clock
    cdef ticks.Instant _instant
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
