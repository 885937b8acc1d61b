cimport cython

cdef class Wheel:
    cdef public double now
    cdef long _tick
    cdef dict _buckets

    @cython.locals(tick=long, filed=long, bucket=set)
    cpdef file(self, item, double when)
    @cython.locals(filed=long, bucket=set)
    cpdef remove(self, item)
    @cython.locals(last=long, again=double, bucket=set)
    cpdef advance(self, double elapsed)
