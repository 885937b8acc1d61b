cimport cython

from lineman.net.connection.lifecycle cimport Lifecycle
from lineman.net.service cimport Service
from lineman.protocols.websocket.handshake cimport response
from lineman.protocols.websocket.fast_handshake cimport Opening
from lineman.protocols.websocket.session cimport WebsocketSession

cdef class HttpStage:
    cdef Lifecycle _connection
    cdef object _parser
    cdef list _requests
    cdef bint _is_ended
    cdef readonly bint is_idle
    cdef readonly bint is_answering
    cdef readonly bint is_deciding
    cdef object _key
    cdef bytes _rest
    cdef tuple _claims
    cdef tuple _headers
    cdef object _refusal
    cdef tuple _compression

    @cython.locals(connection=Lifecycle)
    cpdef begin(self, Opening opening, bytes rest)
    cdef bint _is_direct(self) except -1
    cdef _find_client(self, request)
    cdef _judge(self, request, bint is_asked)
    @cython.locals(connection=Lifecycle, service=Service)
    cdef _decide(self)
    @cython.locals(connection=Lifecycle, service=Service)
    cdef _accept(self)
