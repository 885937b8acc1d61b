cimport cython

from lineman.base cimport buffers, unknown_names
from lineman.net.connection.backpressure cimport Backpressure
from lineman.net.connection.end_causes cimport close_cause, failure_cause
from lineman.net.service cimport Service
from lineman.net.connection.counters cimport Tally

cdef int FIRST_OF_BINARY, FIRST_OF_TEXT

cdef class Connection(Backpressure):
    cpdef enlist(self)
    @cython.locals(service=Service, tally=Tally, is_broken_rule=bint, code=int, is_ours=bint)
    cpdef unlist(self)
    cpdef send(self, message, key=*)
    @cython.locals(payload=buffers.Payload, first=int)
    cdef _send_plain(self, message)
    cdef bint send_memory(self, bint is_text, const unsigned char *data, Py_ssize_t start, Py_ssize_t size) except -1
    cdef bint _has_written(self) except -1
    cdef bint borrow_cork(self) except -1
    cdef return_cork(self)
    cdef _to_wait(self, message)
    cpdef bint send_encoded(self, bytes frame, key) except? -1
