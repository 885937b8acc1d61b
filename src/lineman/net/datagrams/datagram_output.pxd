from lineman.net.connection.context cimport ConnectionContext
from lineman.net.datagrams cimport datagram_calls

cimport cython

cdef Py_ssize_t _MOST

@cython.final
cdef class DatagramOutput:
    cdef object _socket
    cdef int _fd
    cdef readonly ConnectionContext service
    cdef readonly int family
    cdef readonly object listen_address

    cpdef bint send(self, bytes sender, bytes payload, bint may_broadcast=*) except -1
    cdef bint _explain(self, bytes sender, bytes payload, error) except -1
    cdef _count(self, bytes payload)
