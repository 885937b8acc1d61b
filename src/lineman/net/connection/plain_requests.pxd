cimport cython

from lineman.net.connection.context cimport ConnectionContext
from lineman.net.connection.lifecycle cimport Lifecycle
from lineman.protocols.websocket.opening_session cimport OpeningSession

cdef class PlainRequests:
    cdef Lifecycle _connection
    cdef OpeningSession _session
    cdef object _body
    cdef tuple _claims
    cdef object _task
    cdef bint _has_peer_ended
    cdef long long _seen_bytes
    cdef double _seen_at
    cdef readonly bint is_waiting
    cdef readonly bint is_answering
    cdef public bint is_deciding

    cdef _begin_requests(self, connection, double since)
    @cython.locals(connection=Lifecycle, service=ConnectionContext)
    cdef _answer(self, request)
    @cython.locals(connection=Lifecycle, service=ConnectionContext)
    cdef _respond(self, result)
    cdef _open_events(self, response)
    cdef _refuse_request(self, error)
    cdef _callback_raised(self, name, error)
    cdef _wait_for_answer(self)
    cpdef _stop_waiting(self)
    cdef _hold(self, bytes data)
    cdef _go_on(self)
    cdef _send_body(self, response)
    cdef _body_sent(self)
    cdef _body_failed(self, body, error)
    cdef double _look_at_answer(self, double now) except -1
