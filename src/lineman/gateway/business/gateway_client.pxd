cimport cython

from lineman.base cimport unknown_names
from lineman.links.link cimport Link

cdef class _Base:
    pass

cdef class Client(_Base):
    cdef object _business
    cdef set _groups
    cdef object _groups_shown
    cdef object _loaded
    cdef object _introduction
    cdef object _request
    cdef object _session
    cdef object _uid
    cdef readonly object id
    cdef readonly Link link
    cdef readonly long long number
    cdef public long long ordered
    cdef public object queue
    cdef readonly object remote_ip
    cdef readonly int remote_port
    cdef readonly object protocol
    cdef readonly object listen_address
    cdef bint _is_of_lines
    cdef public object stored_session

    @cython.locals(link=Link)
    cpdef send(self, message)
