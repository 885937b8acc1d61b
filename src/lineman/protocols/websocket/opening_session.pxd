cimport cython

from lineman.protocols.http.http_session cimport HttpSession
from lineman.protocols.interface cimport Upgrade
from lineman.protocols.websocket.fast_handshake cimport Opening, read_opening
from lineman.protocols.websocket.handshake cimport response
from lineman.protocols.websocket.session cimport WebsocketSession

cdef class OpeningSession(HttpSession):
    cdef readonly object subprotocol
    cdef object _key
    cdef bytes _early
    cdef tuple _headers
    cdef tuple _compression

    cdef _begin(self, limits, double since)
    @cython.locals(found=Opening, size=Py_ssize_t)
    cpdef next(self, const unsigned char[::1] data)
    @cython.locals(session=WebsocketSession, upgrade=Upgrade)
    cpdef Upgrade upgrade(self, limits, options)
