cimport cython

from lineman.net.connection.callbacks cimport Callbacks
from lineman.net.connection.context cimport ConnectionContext
from lineman.net.connection.endpoint cimport Endpoint
from lineman.net.connection.sender cimport Sender

cdef int PAUSED_BY_USER  # as a C number

cdef class Delivery(Sender):
    cdef object _meter

    cdef _begin_delivery(self, ConnectionContext service, Endpoint endpoint, int fd, tuple peer)
    cdef _use_meter(self, meter)
    @cython.locals(callbacks=Callbacks)
    cdef _call_on_connect(self)
    cpdef _connected(self)
    cdef _process(self, event)
    cdef bint _is_too_much(self, Py_ssize_t count) except -1
    cdef _other_event(self, event)
    cdef _hand_on(self, message)
    cdef _start_inbox(self, first)
    cdef _deliver(self, message)
    cpdef take(self, event)
    cpdef inbox_is_empty(self)
