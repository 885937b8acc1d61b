from lineman.net.poller cimport Poller
from lineman.net.receiver cimport Receiver
from lineman.net.tlsstream cimport TlsStream

cdef int READ

cdef class Transport(Receiver):
    cdef _start(self, Poller poller, int fd, TlsStream tls)
    cpdef end_writing(self)
    cpdef abandon_tls(self)
    cpdef shut(self)
