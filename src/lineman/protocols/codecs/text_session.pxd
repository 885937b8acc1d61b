from lineman.base cimport buffers
from lineman.protocols.codecs.byte_stream cimport StreamSession

cimport cython

cdef int _NEWLINE, _RETURN

cdef class TextSession(StreamSession):
    cdef bint _is_first

    @cython.locals(start=Py_ssize_t, end=Py_ssize_t, line=bytes)
    cdef _take(self, const unsigned char *data, Py_ssize_t size)
    @cython.locals(begun=bytes)
    cdef _check_first(self, const unsigned char *data, Py_ssize_t start, Py_ssize_t stop, bint is_whole)
    @cython.locals(begun=bytearray)
    cdef _keep(self, const unsigned char *data, Py_ssize_t start, Py_ssize_t stop)
    cdef _line(self, const unsigned char *data, Py_ssize_t start, Py_ssize_t end)
    cdef Py_ssize_t _put(self, const unsigned char *payload, Py_ssize_t count, unsigned char *room, Py_ssize_t size) except -2
    cpdef tuple pieces(self, message)
    cpdef share_key(self)
