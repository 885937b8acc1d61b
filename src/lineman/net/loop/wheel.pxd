cimport cython

cdef double _STEP
cdef int _LOOKS

cdef class Timed:
    cdef public long filed_tick

    cpdef double on_deadline(self, double now) except? -2

cdef class Wheel:
    cdef public double now
    cdef long _tick
    cdef dict _buckets
    cdef set _due

    @cython.locals(tick=long, bucket=set)
    cpdef file(self, Timed item, double when)
    @cython.locals(bucket=set)
    cpdef remove(self, Timed item)
    cpdef bint advance(self, double elapsed) except -1
    @cython.locals(last=long, left=int, again=double, due=set, item=Timed)
    cpdef bint look(self) except -1
