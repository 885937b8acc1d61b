from lineman.net.connection.context cimport ConnectionContext
from lineman.net.connection.counters cimport Tally
from lineman.net.datagrams cimport datagram_calls
from lineman.net.datagrams.datagram_output cimport DatagramOutput
from lineman.net.datagrams.datagram_peer cimport DatagramPeer
from lineman.net.loop.poller cimport Handler
from lineman.net.loop.turn cimport Turn

cimport cython

cdef int _BATCH

cdef class DatagramSocket(Handler):
    cdef object __weakref__
    cdef readonly ConnectionContext service
    cdef readonly DatagramOutput output
    cdef object _socket
    cdef int _fd
    cdef object _batch
    cdef int _next
    cdef int _count
    cdef bint _is_queued
    cdef object _meters
    cdef dict _busy
    cdef public Py_ssize_t waiting
    cdef long long _drops

    @cython.locals(turn=Turn, index=int)
    cdef _serve(self)
    cdef bint _receive(self) except -1
    @cython.locals(service=ConnectionContext, data=bytes, sender=bytes, tally=Tally, peer=DatagramPeer)
    cdef _take(self, int index)
    cdef bint _is_refused(self, bytes sender, bytes data, bint is_cut) except -1
    cdef _drop(self, why)
