cimport cython

from lineman.net.connection.context cimport ConnectionContext
from lineman.net.connection.lifecycle cimport Lifecycle
from lineman.net.connection.plain_requests cimport PlainRequests
from lineman.protocols.websocket.opening_session cimport OpeningSession

cdef class AppRequests(PlainRequests):
    cdef object _exchange
    cdef bint _has_been_told
    cdef public object server

    cdef _begin_app(self)
    cdef _call_app(self, request)
    cdef _take_more(self, bytes data)
    cpdef body_taken(self)
    cpdef ask_for_body(self)
    @cython.locals(session=OpeningSession, connection=Lifecycle)
    cpdef send_whole(self, int status, bytes lines, long long length, bytes body, bint closes)
    cpdef send_head(self, int status, bytes lines, long long length, bint closes)
    cpdef send_piece(self, bytes data)
    @cython.locals(connection=Lifecycle, service=ConnectionContext)
    cpdef end_answer(self, bytes trailers)
    cpdef fail_answer(self, bint has_begun)
    cdef _call_app_for_websocket(self)
    cdef _wait(self)
    cdef double _look_at_answer(self, double now) except -1
    cdef bint _give_up_decision(self) except -1
