cimport cython

from lineman.gateway.holder.held_client cimport HeldClient
from lineman.links.link cimport Link

cdef Py_ssize_t MAX_EVENTS, MAX_SIZE

cdef Py_ssize_t size_of(event) except -1

cdef class Dispatch:
    cdef object _clock
    cdef object _log
    cdef object _on_settled
    cdef object _on_lost
    cdef bint _redeliver
    cdef bint _resumes
    cdef double _wait_timeout
    cdef object _router
    cdef dict _ids
    cdef dict _clients
    cdef set _retiring
    cdef dict _stalled
    cdef dict _clogged
    cdef public long long dropped

    cdef _take_back(self, HeldClient client)
    cpdef offer(self, HeldClient client, event)
    @cython.locals(has=list)
    cpdef acknowledge(self, Link link, HeldClient client, Py_ssize_t count=*)
    cdef _settle(self, HeldClient client)
    cpdef forget(self, HeldClient client)
    @cython.locals(link=Link, has=list)
    cdef bint _may_post(self, HeldClient client) except -1
    cdef _assign(self, HeldClient client, Link link)
    @cython.locals(link=Link)
    cdef _part(self, HeldClient client)
    @cython.locals(link=Link)
    cdef _post(self, HeldClient client, event)
    cdef _pump(self, HeldClient client)
    @cython.locals(link=Link)
    cdef _hold(self, HeldClient client)
