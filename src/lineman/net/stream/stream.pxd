cimport cython

from lineman.net.loop cimport syscalls
from lineman.net.loop.poller cimport Poller
from lineman.net.stream.stream_output cimport StreamOutput
from lineman.net.stream.tlsstream cimport TlsStream

# As C numbers, for they are compared for every event.
cdef int AGAIN, ENDED, LOST, PLAIN, SECURED, TRUNCATED
cdef int HANDSHAKE_RECORD

@cython.final
cdef class Stream(StreamOutput):
    cdef readonly bytes kept
    cdef readonly bint is_known_tls
    cdef readonly long long bytes_read

    @cython.locals(count=Py_ssize_t)
    cdef Py_ssize_t receive(self) except? -9
    @cython.locals(count=Py_ssize_t)
    cdef Py_ssize_t _receive_tls(self, TlsStream tls) except? -9
    @cython.locals(first=int, is_done=bint)
    cdef Py_ssize_t _shake_hands(self, TlsStream tls) except? -9
    cdef bint has_more(self) except -1
    cdef bint shakes_hands(self) except -1
    cdef keep(self, bytes rest)
    cdef bytes take_kept(self)
    cdef drop_kept(self)
    cdef pause(self, int why)
    cdef bint resume(self, int why) except -1

    cdef end_writing(self)
    cdef end_sending(self)
    cdef bint abandon_tls(self) except -1
    cdef break_off(self)
    cdef shut(self)
