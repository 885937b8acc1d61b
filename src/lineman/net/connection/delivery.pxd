cimport cython

from lineman.net.connection.callbacks cimport Callbacks
from lineman.net.stream.receiver cimport Receiver
from lineman.net.service cimport Service

cdef class Delivery(Receiver):
    cdef readonly Service service
    cdef Callbacks _callbacks
    cdef object _state
    cdef object _inbox
    cdef object _forced_close
    cdef object _goodbye
    cdef bint _is_ended_by_us
    cdef bint _is_unfinished
    cdef public long long messages_read
    cdef long long _quiet_messages
    cdef double _quiet_since
    cdef object _tls_info

    @cython.locals(service=Service)
    cdef _set_up(self, Service service, int fd, tls)
    cpdef open(self, rest, agreement)
    cpdef unlist(self)
    cpdef callback_failed(self, error)
    cpdef start_close(self, int code, reason)
    cpdef on_peer_close(self, event)
    cpdef on_broken_rule(self, error)
    cpdef on_closing_answered(self, error)
    cpdef on_delivered_all(self)
    cdef _tell_end(self)
    @cython.locals(callbacks=Callbacks)
    cdef _call_on_connect(self)
    cpdef process(self, event)
    cdef _control(self, event)
    cdef _queue(self, inbox, event)
    cpdef take(self, event)
    cdef _deliver(self, message)
    cpdef note_unfinished(self, message, Py_ssize_t held)
    cpdef inbox_is_empty(self)
