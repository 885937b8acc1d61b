cimport cython

cdef double _STEP

cdef class Timed:
    cdef public long filed_tick

    cpdef double on_deadline(self, double now) except? -2

cdef class Wheel:
    cdef public double now
    cdef long _tick
    cdef dict _buckets

    @cython.locals(tick=long, bucket=set)
    cpdef file(self, Timed item, double when)
    @cython.locals(bucket=set)
    cpdef remove(self, Timed item)
    @cython.locals(last=long, again=double, bucket=set, item=Timed)
    cpdef advance(self, double elapsed)
