cimport cython

from lineman.links.link cimport Link, RecordReceiver
from lineman.gateway.business.gateway_client cimport Client

cdef int TEXT

cdef class LinkReceiver(RecordReceiver):
    cdef object _business
    cdef object _on_message
    cdef Client _last
    cdef readonly dict clients

    cpdef forget(self, long long number)
    @cython.locals(client=Client)
    cdef on_record(self, Link link, long long number, int kind, const unsigned char *data, Py_ssize_t start, Py_ssize_t end)
    cdef _serve(self, Link link, Client client, message)
    cpdef on_pause(self)
