from lineman.base cimport buffers
from lineman.protocols.codecs.byte_stream cimport StreamSession

cimport cython

cdef Py_ssize_t _FIRST, _MORE, _SHARE, _FREE

cdef class CodecSession(StreamSession):
    cdef object _codec
    cdef long long _need
    cdef long long _credit
    cdef Py_ssize_t _seen
    cdef bint _is_cut
    cdef bint _is_due
    cdef bint _is_shared
    cdef bint _waits

    @cython.locals(size=Py_ssize_t)
    cpdef next(self, const unsigned char[::1] data)
    @cython.locals(start=Py_ssize_t, begun=bytearray)
    cdef _take(self, const unsigned char *data, Py_ssize_t size)
    @cython.locals(count=Py_ssize_t, begun=bytearray)
    cdef _package(self, const unsigned char *data, Py_ssize_t start, Py_ssize_t available)
    @cython.locals(shown=Py_ssize_t, most=Py_ssize_t)
    cdef _ask(self, const unsigned char *data, Py_ssize_t start, Py_ssize_t available)
    cdef _decode(self, bytes package)
    cdef _failed(self, str method, error)
    cdef Py_ssize_t encode_into(self, message, unsigned char *room, Py_ssize_t size) except -2
    cdef Py_ssize_t encode_memory(self, bint is_text, const unsigned char *data, Py_ssize_t count, unsigned char *room, Py_ssize_t size) except -2
    cpdef tuple pieces(self, message)
    cpdef share_key(self)
    cpdef bint ask_now(self) except -1
