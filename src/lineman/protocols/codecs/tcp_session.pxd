from lineman.base cimport buffers
from lineman.protocols.codecs.byte_stream cimport StreamSession

cdef class TcpSession(StreamSession):
    cdef _take(self, const unsigned char *data, Py_ssize_t size)
    cdef Py_ssize_t _put(self, const unsigned char *payload, Py_ssize_t count, unsigned char *room, Py_ssize_t size) except -2
    cpdef tuple pieces(self, message)
    cpdef share_key(self)
