from lineman.net.connection.context cimport ConnectionContext
from lineman.net.connection.counters cimport Tally
from lineman.net.datagrams cimport datagram_calls
from lineman.net.datagrams.datagram_peer cimport DatagramPeer
from lineman.net.loop.poller cimport Handler
from lineman.net.loop.turn cimport Turn

cimport cython

cdef int _BATCH

cdef class DatagramSocket(Handler):
    cdef object __weakref__
    cdef ConnectionContext _service
    cdef object _socket
    cdef int _fd
    cdef object _batch
    cdef int _next
    cdef int _count
    cdef bint _is_queued
    cdef readonly Py_ssize_t _at_work
    cdef readonly Py_ssize_t cut

    @cython.locals(turn=Turn, index=int)
    cdef _serve(self)
    @cython.locals(service=ConnectionContext, data=bytes, tally=Tally, peer=DatagramPeer)
    cdef _take(self, int index)
    cdef _failed(self, error)
    cdef _begin_work(self, work)
