cimport cython

from lineman.net.connection.lifecycle cimport Lifecycle
from lineman.net.connection.context cimport ConnectionContext
from lineman.net.connection.app_requests cimport AppRequests
from lineman.protocols.interface cimport Upgrade
from lineman.protocols.websocket.fast_handshake cimport Opening
from lineman.protocols.websocket.opening_session cimport OpeningSession

cdef class HttpStage(AppRequests):
    cdef object _refusal

    @cython.locals(connection=Lifecycle, session=OpeningSession, upgrade=Upgrade)
    cpdef take(self, const unsigned char[::1] data)
    cdef _act(self, event)
    @cython.locals(connection=Lifecycle)
    cdef _begin(self, Opening opening)
    cdef bint _is_direct(self) except -1
    cdef _find_client(self, request)
    cdef _judge(self, request, bint is_asked)
    @cython.locals(connection=Lifecycle, service=ConnectionContext)
    cdef _decide(self)
    @cython.locals(connection=Lifecycle, service=ConnectionContext)
    cdef _accept(self)
