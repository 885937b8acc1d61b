cimport cython

cdef class PipeEnds:
    cdef object _connection
    cdef PipeEnds _target
    cdef list _sources
    cdef readonly bint has_ended

    cpdef join(self, PipeEnds target)
    @cython.locals(target=PipeEnds)
    cpdef pass_on(self, connection, message)
    cpdef bint has_target(self) except -1
    @cython.locals(target=PipeEnds)
    cpdef bint passes_end(self, int code) except -1
    @cython.locals(target=PipeEnds, source=PipeEnds)
    cpdef close(self, int code, reason)
