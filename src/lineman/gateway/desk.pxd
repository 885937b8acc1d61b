cimport cython

from lineman.gateway.link cimport Link, Receiver
from lineman.gateway.visitor cimport Visitor

cdef int TEXT

cdef class Desk(Receiver):
    cdef object _business
    cdef object _on_message
    cdef Visitor _last
    cdef readonly dict visitors

    cpdef forget(self, long long number)
    @cython.locals(visitor=Visitor)
    cdef on_record(self, Link link, long long number, int kind, const unsigned char *data, Py_ssize_t start, Py_ssize_t end)
    cdef _serve(self, Link link, Visitor visitor, message)
    cpdef on_pause(self)
