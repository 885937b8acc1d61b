from lineman.net.loop cimport syscalls
from lineman.net.loop.poller cimport Handler
from lineman.net.connection.context cimport ConnectionContext
from lineman.net.connection.endpoint cimport Endpoint

cdef class Reserve:
    cdef int _size
    cdef list _kept
    cdef bint is_short

    cpdef fill(self)

cdef class Acceptor(Handler):
    cdef object __weakref__
    cdef ConnectionContext _service
    cdef Endpoint _endpoint
    cdef object _socket
    cdef int _fd
    cdef Py_ssize_t _limit
    cdef bint _is_usual
    cdef Reserve _reserve
    cdef double _short_at
    cdef bint _is_held
    cdef object _refusal

    cdef _take(self, int fd, peer, refusal)
