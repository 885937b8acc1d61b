cimport cython

from lineman.net.loop.wheel cimport Timed

cdef double _NEAR, _AGAIN

cdef class Delay(Timed):
    cdef readonly object owner
    cdef readonly object function
    cdef readonly object args
    cdef double _due

    cpdef cancel(self)
    cpdef drop(self)
    @cython.locals(left=double)
    cpdef double on_deadline(self, double now) except? -2
