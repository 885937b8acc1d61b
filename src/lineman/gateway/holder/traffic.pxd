cimport cython

from lineman.links cimport records
from lineman.gateway.holder.held_client cimport HeldClient
from lineman.gateway.holder.dispatch cimport Dispatch
from lineman.links.link cimport Link, RecordReceiver
from lineman.net.connection.connection cimport Connection

cdef int TEXT

cdef class ClientTraffic(RecordReceiver):
    cdef Dispatch _dispatch
    cdef object _guard
    cdef object _log
    cdef HeldClient _last
    cdef Connection _corking
    cdef readonly dict clients
    cdef readonly long long delivered

    @cython.locals(client=HeldClient)
    cpdef hear(self, Connection connection, message)
    cpdef forget(self, long long number)
    @cython.locals(client=HeldClient)
    cdef HeldClient _find(self, long long number)
    @cython.locals(client=HeldClient)
    cdef on_record(self, Link link, long long number, int kind, const unsigned char *data, Py_ssize_t start, Py_ssize_t end)
    @cython.locals(is_text=bint)
    cdef _say(self, Connection connection, int kind, const unsigned char *data, Py_ssize_t start, Py_ssize_t end)
    @cython.locals(client=HeldClient)
    cdef on_done(self, Link link, long long number, Py_ssize_t count)
    cpdef on_pause(self)
    cdef _uncork(self)
