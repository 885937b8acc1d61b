cimport cython

from lineman.base cimport buffers
from lineman.protocols.websocket cimport frames

ctypedef unsigned char *p_uchar

cdef class Assembly:
    cdef bytes _store
    cdef readonly Py_ssize_t size

    @cython.locals(count=Py_ssize_t, room=p_uchar)
    cpdef append(self, const unsigned char[::1] data, unsigned int mask, Py_ssize_t coming)
    @cython.locals(have=Py_ssize_t, room=Py_ssize_t, larger=bytes)
    cdef _make_room(self, Py_ssize_t needed, Py_ssize_t coming)
    cpdef Py_ssize_t capacity(self)
    cpdef bytes take(self)
