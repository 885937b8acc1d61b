from lineman.base cimport buffers
from lineman.protocols.codecs.byte_stream cimport StreamSession

cimport cython

cdef int _HEAD

cdef class FrameSession(StreamSession):
    cdef long long _need

    @cython.locals(start=Py_ssize_t, need=Py_ssize_t)
    cdef _take(self, const unsigned char *data, Py_ssize_t size)
    @cython.locals(begun=bytearray)
    cdef _go_on(self, const unsigned char *data, Py_ssize_t size)
    @cython.locals(begun=bytearray, count=Py_ssize_t)
    cdef _add(self, const unsigned char *data, Py_ssize_t size, Py_ssize_t wanted)
    cdef Py_ssize_t _put(self, const unsigned char *payload, Py_ssize_t count, unsigned char *room, Py_ssize_t size) except -2
    cpdef tuple pieces(self, message)
    cpdef share_key(self)
