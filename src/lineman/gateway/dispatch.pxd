cimport cython

from lineman.gateway.client cimport Client
from lineman.gateway.link cimport Link

cdef Py_ssize_t MAX_EVENTS, MAX_SIZE

cdef Py_ssize_t size_of(event) except -1

cdef class Dispatch:
    cdef object _clock
    cdef object _log
    cdef object _on_settled
    cdef object _on_lost
    cdef bint _redeliver
    cdef double _wait_timeout
    cdef dict _clients
    cdef set _retiring
    cdef dict _stalled
    cdef dict _clogged
    cdef public long long dropped

    cdef _take_back(self, Client client)
    cpdef offer(self, Client client, event)
    @cython.locals(has=list)
    cpdef acknowledge(self, Link link, Client client, Py_ssize_t count=*)
    cdef _settle(self, Client client)
    cpdef forget(self, Client client)
    @cython.locals(link=Link, has=list)
    cdef bint _may_post(self, Client client) except -1
    cdef _assign(self, Client client, Link link)
    @cython.locals(link=Link)
    cdef _part(self, Client client)
    @cython.locals(link=Link)
    cdef _post(self, Client client, event)
    cdef _pump(self, Client client)
    @cython.locals(link=Link)
    cdef _hold(self, Client client)
