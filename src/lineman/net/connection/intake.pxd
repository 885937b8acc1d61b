cimport cython

from lineman.net.connection.delivery cimport Delivery
from lineman.net.loop cimport steps
from lineman.net.loop.turn cimport Turn
from lineman.net.connection.http_stage cimport HttpStage
from lineman.protocols.websocket.decoder cimport Decoder
from lineman.protocols.websocket.fast_handshake cimport Opening, read_opening

cdef Py_ssize_t _HTTP_PIECE

cdef class Intake(Delivery):
    cdef HttpStage _stage
    cdef Decoder _decoder
    cdef readonly object agreement
    cdef double _last_received

    cdef _begin_taking(self)
    @cython.locals(decoder=Decoder, turn=Turn, found=Opening, size=Py_ssize_t)
    cpdef on_data(self, const unsigned char[::1] data)
    @cython.locals(size=Py_ssize_t)
    cdef _feed_http(self, HttpStage stage, const unsigned char[::1] data)
    cpdef on_used_up(self)
    cpdef bint has_opened(self) except -1
    cdef Decoder _new_decoder(self)
