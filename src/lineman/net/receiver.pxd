cimport cython

from lineman.net.output cimport Output
from lineman.net.poller cimport Poller
from lineman.net.syscalls cimport receive_into
from lineman.net.tlsstream cimport TlsStream

# As C numbers, for they are compared for every event.
cdef int BROKEN, HANDSHAKE_RECORD, READ, WRITE, _PAUSED_BY_GOODBYE
cdef double _BEHIND_TIME

cdef class Receiver(Output):
    cdef bint _is_known_tls
    cdef bint _is_queued
    cdef bint _is_behind
    cdef double _behind_until
    cdef bytes _kept
    cdef object _failure
    cdef readonly long long bytes_read

    cdef _begin_reading(self, Poller poller, int fd, TlsStream tls)
    cpdef on_data(self, const unsigned char[::1] data)
    cpdef on_plain_client(self)
    cpdef on_secured(self, TlsStream tls)
    cpdef on_end(self)
    cpdef on_lost(self, error)
    cpdef on_used_up(self)
    cpdef bint has_opened(self) except -1

    cpdef on_events(self, int events)
    cpdef on_turn(self)
    cdef _end_service(self)
    cdef bint has_had_share(self) except -1
    cpdef keep(self, bytes rest)
    cdef _fall_behind(self)
    cdef _put_off(self)
    @cython.locals(kept=bytes)
    cdef _use_kept(self)
    cdef _drop_kept(self)
    @cython.locals(count=Py_ssize_t)
    cdef _receive(self)
    cdef _pass_on(self, Py_ssize_t count)
    @cython.locals(count=Py_ssize_t)
    cdef _receive_tls(self, TlsStream tls)
    cdef Py_ssize_t _decrypt(self, TlsStream tls) except? -2
    @cython.locals(is_done=bint)
    cdef bint _shake_hands(self, TlsStream tls) except? -1
    cpdef pause(self, int why)
    cpdef resume(self, int why)
    cdef bint _has_more(self) except -1
