cimport cython

from lineman.net.connection.lifecycle cimport Lifecycle

cdef class Backpressure(Lifecycle):
    cdef bint _pour(self, outbox) except? -1
    cdef _write_pong(self, outbox)
    cdef _write_held(self, entry)
    cdef tuple shrunk(self, tuple message)
    cdef bint may_send(self) except? -1
    cdef bint hold(self, entry, key) except? -1
    cdef _note_given_up(self, int count, what)
    cpdef check_full(self, bint is_over=*)
    cpdef close_slow_reader(self)
