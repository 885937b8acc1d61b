from lineman.net.connection.context cimport ConnectionContext
from lineman.net.datagrams cimport datagram_calls

cimport cython

cdef Py_ssize_t MOST

cdef class DatagramPeer:
    cdef ConnectionContext _service
    cdef int _fd
    cdef object _sender
    cdef Py_ssize_t _size
    cdef double _allowed
    cdef tuple _address

    cdef _begin(self, ConnectionContext service, int fd, sender, Py_ssize_t size)
    cdef tuple _where(self)
    @cython.locals(payload=bytes, service=ConnectionContext, factor=double)
    cpdef send(self, data)
    cdef _refuse(self, Py_ssize_t size, double factor)

cdef bint send_to(ConnectionContext service, int fd, sender, bytes payload) except -1
