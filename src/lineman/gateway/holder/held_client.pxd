from lineman.links.link cimport Link
from lineman.gateway.holder.registry cimport Member

cdef class HeldClient(Member):
    cdef readonly object id
    cdef readonly object connection
    cdef readonly long long number
    cdef public bytes session
    cdef public Link link
    cdef public list unacknowledged
    cdef public Py_ssize_t unacknowledged_size
    cdef public object waiting
    cdef public double waits_since
    cdef public long long applied
    cdef public object early
    cdef public int deaths
    cdef public bint is_paused
    cdef public bint is_gone
