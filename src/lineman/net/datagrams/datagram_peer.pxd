cimport cython

from lineman.base cimport unknown_names
from lineman.net.datagrams cimport datagram_calls
from lineman.net.datagrams.datagram_output cimport DatagramOutput

cdef double _HEADERS

cdef class _PeerBase:
    pass

cdef class DatagramPeer(_PeerBase):
    cdef DatagramOutput _output
    cdef bytes _sender
    cdef Py_ssize_t _size
    cdef double _allowed
    cdef tuple _address

    cdef _begin(self, DatagramOutput output, bytes sender, Py_ssize_t size)
    cdef tuple _where(self)
    @cython.locals(payload=bytes, factor=double, cost=double)
    cpdef send(self, data)
    cdef _refuse(self, Py_ssize_t size, double factor)
