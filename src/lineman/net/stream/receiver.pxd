cimport cython

from lineman.base cimport buffers
from lineman.net.loop.poller cimport Handler, Poller
from lineman.net.stream.stream cimport Stream
from lineman.net.stream.tlsstream cimport TlsStream
from lineman.protocols.websocket cimport frames

ctypedef unsigned char *p_uchar

# As C numbers, for they are compared for every event.
cdef int BLOCKED, BROKE, BROKEN, ENDED, LOST, PAUSED_BY_GOODBYE, PLAIN, READ, SECURED
cdef int UNBLOCKED, WRITE
cdef double _BEHIND_TIME

cdef class Receiver(Handler):
    cdef Stream _stream
    cdef readonly Poller poller
    cdef bint _is_queued
    cdef bint _is_behind
    cdef double _behind_until
    cdef long long _seen_written

    cdef _begin_reading(self, Poller poller, int fd, TlsStream tls)
    cpdef on_data(self, const unsigned char[::1] data)
    cpdef on_plain_client(self)
    cpdef on_secured(self, TlsStream tls)
    cpdef on_end(self)
    cpdef on_lost(self, error)
    cpdef on_blocked(self)
    cpdef on_unblocked(self)
    cpdef on_used_up(self)
    cpdef bint has_opened(self) except -1

    @cython.locals(stream=Stream)
    cpdef on_events(self, int events)
    @cython.locals(stream=Stream)
    cpdef on_turn(self)
    @cython.locals(stream=Stream)
    cdef _end_service(self)
    @cython.locals(status=int)
    cpdef flush(self)
    cdef bint has_had_share(self) except -1
    cpdef keep(self, bytes rest)
    cdef _fall_behind(self)
    cdef _put_off(self)
    cpdef write(self, bytes data)
    cdef _write_frame(self, int first, bytes payload)
    @cython.locals(head=p_uchar)
    cdef _put_frame(self, int first, const unsigned char *payload, Py_ssize_t size)
    @cython.locals(kept=bytes)
    cdef _use_kept(self)
    @cython.locals(stream=Stream, count=Py_ssize_t)
    cdef _receive(self)
    cdef bint _has_progressed(self) except -1
    cpdef pause(self, int why)
    cpdef resume(self, int why)
