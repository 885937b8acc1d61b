cimport cython

from lineman.net.connection.context cimport ConnectionContext
from lineman.net.connection.delivery cimport Delivery
from lineman.net.connection.endpoint cimport Endpoint
from lineman.net.stream.stream cimport Stream
from lineman.net.loop cimport steps
from lineman.net.loop.turn cimport Turn
from lineman.net.connection.http_stage cimport HttpStage
from lineman.protocols.interface cimport Session, Upgrade

# As C numbers, for they are compared for every event.
cdef int BROKEN, ENDED, FAILED, LOST, PAUSED_BY_END, PAUSED_BY_GOODBYE, PAUSED_BY_HANDSHAKE, PAUSED_BY_INBOX, PAUSED_BY_USER, PLAIN, READ, SECURED, TRUNCATED, WRITE
cdef double _BEHIND_TIME

cdef class Incoming(Delivery):
    cdef bint _is_behind
    cdef double _behind_until

    cdef _begin_receiving(self, ConnectionContext service, Endpoint endpoint, int fd, tuple peer)

    @cython.locals(stream=Stream)
    cpdef on_events(self, int events)
    @cython.locals(stream=Stream, is_unread=bint)
    cdef _broken(self, int events)
    @cython.locals(stream=Stream)
    cpdef on_turn(self)
    @cython.locals(stream=Stream)
    cdef _end_service(self)
    @cython.locals(stream=Stream, count=Py_ssize_t)
    cdef _receive(self)
    cdef _act_on(self, Py_ssize_t status)
    @cython.locals(stream=Stream)
    cdef _secured(self)
    @cython.locals(stream=Stream)
    cdef _await_tls(self)
    cdef _refuse_unencrypted(self, where)
    cdef double _check_handshake(self, double now) except? -2
    cdef _ended(self, int status)
    cdef _end_when_answered(self, end, bint is_truncated)
    cpdef keep(self, bytes rest)
    cdef _fall_behind(self)
    @cython.locals(kept=bytes)
    cdef _use_kept(self)
    @cython.locals(session=Session, turn=Turn)
    cpdef take_bytes(self, const unsigned char[::1] data)
    @cython.locals(stage=HttpStage)
    cdef _take_http(self, const unsigned char[::1] data)
    cpdef begin(self, bytes data=*)
    cdef _open_at_once(self)
    @cython.locals(rest=bytes)
    cpdef upgrade(self, Upgrade upgrade)
    cdef _open(self, Session session)
    @cython.locals(again=double, is_open=bint)
    cdef _ask_clock(self)
    cpdef double on_deadline(self, double now) except? -2
