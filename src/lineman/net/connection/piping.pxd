cimport cython

from lineman.net.connection.callbacks cimport Callbacks
from lineman.net.connection.own_settings cimport OwnSettings
from lineman.net.stream.stream cimport Stream
from lineman.protocols.interface cimport Session

ctypedef unsigned char *p_uchar

cdef int PAUSED_BY_USER, ROOM  # as C numbers

cdef class Piping(OwnSettings):
    @cython.locals(callbacks=Callbacks)
    cpdef pipe_ends(self)
    @cython.locals(stream=Stream, session=Session, room=p_uchar, count=Py_ssize_t)
    cpdef bint send_piped(self, message) except? -1
    cpdef pause_piped(self)
    cpdef end_piped(self, int code, reason)
