from lineman.net.connection.context cimport ConnectionContext
from lineman.net.connection.endpoint cimport Endpoint
from lineman.net.connection.peer cimport Peer

cdef class DelayedCalls(Peer):
    cdef object _delays

    cdef _begin_delays(self, ConnectionContext service, Endpoint endpoint, int fd, tuple peer)
    cpdef run_delay(self, delay)
    cpdef forget_delay(self, delay)
    cdef _drop_delays(self)
    cdef _look_after(self, double seconds)
    cdef _look_anew(self, double seconds)
