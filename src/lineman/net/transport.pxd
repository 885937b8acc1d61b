cimport cython

from lineman.net.output cimport Output
from lineman.net.poller cimport Poller
from lineman.net.syscalls cimport receive_into
from lineman.net.tlsstream cimport TlsStream

# As C numbers, for they are compared for every event.
cdef int BROKEN, HANDSHAKE_RECORD, READ, TURN, WRITE

cdef class Transport(Output):
    cdef bint _is_known_tls
    cdef readonly long long bytes_read

    cdef _start(self, Poller poller, int fd, TlsStream tls)
    cpdef on_data(self, const unsigned char[::1] data)
    cpdef on_plain_client(self)
    cpdef on_secured(self, TlsStream tls)
    cpdef on_end(self)

    cpdef on_events(self, int events)
    @cython.locals(count=Py_ssize_t)
    cdef _receive(self)
    cdef _pass_on(self, Py_ssize_t count)
    @cython.locals(count=Py_ssize_t, had=longlong)
    cdef _receive_tls(self, TlsStream tls)
    cdef Py_ssize_t _decrypt(self, TlsStream tls) except? -2
    @cython.locals(is_done=bint)
    cdef bint _shake_hands(self, TlsStream tls) except? -1
    cpdef pause(self, int why)
    cpdef resume(self, int why)
    cpdef end_writing(self)
    cpdef abandon_tls(self)
    cpdef shut(self)
