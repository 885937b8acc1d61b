cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.string cimport memcpy

from lineman.protocols.websocket.frames cimport lineman_mask

ctypedef unsigned char *p_uchar

cdef class Assembly:
    cdef bytes _store
    cdef readonly Py_ssize_t size

    @cython.locals(count=Py_ssize_t, room=p_uchar)
    cpdef append(self, const unsigned char[::1] data, unsigned int mask, Py_ssize_t coming)
    @cython.locals(have=Py_ssize_t, room=Py_ssize_t, larger=bytes)
    cdef _make_room(self, Py_ssize_t needed, Py_ssize_t coming)
    cpdef Py_ssize_t capacity(self)
    @cython.locals(store=bytes)
    cpdef bytes take(self)
