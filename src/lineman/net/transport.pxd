cimport cython
from cpython.buffer cimport PyBUF_READ
from cpython.bytearray cimport (
    PyByteArray_AS_STRING,
    PyByteArray_FromStringAndSize,
    PyByteArray_Resize,
)
from cpython.bytes cimport PyBytes_AS_STRING
from cpython.memoryview cimport PyMemoryView_FromMemory
from libc.string cimport memcpy

from lineman.net.poller cimport Handler, Poller
from lineman.net.syscalls cimport lineman_send_two, receive_into, send_from
from lineman.net.tlsstream cimport TlsStream
from lineman.protocols.websocket.frames cimport lineman_header

ctypedef unsigned char *p_uchar
ctypedef char *p_char

# As C numbers, for they are compared for every event.
cdef int BROKEN, CORK_SIZE, HANDSHAKE_RECORD, LARGE, READ, TURN, WRITE

cdef class Transport(Handler):
    cdef readonly Poller poller
    cdef readonly int fd
    cdef TlsStream _tls
    cdef bytearray _out
    cdef bint _is_corked
    cdef bint _is_blocked
    cdef bint _is_dead
    cdef bint _is_known_tls
    cdef int _paused
    cdef long long _seen_written
    cdef readonly long long bytes_read
    cdef readonly long long bytes_written

    cdef _attach(self, Poller poller, int fd, TlsStream tls)
    cpdef on_data(self, const unsigned char[::1] data)
    cpdef on_plain_client(self)
    cpdef on_secured(self, TlsStream tls)
    cpdef on_end(self)
    cpdef on_lost(self, error)
    cpdef on_blocked(self)
    cpdef on_unblocked(self)

    cpdef on_events(self, int events)
    @cython.locals(count=Py_ssize_t)
    cdef _receive(self)
    cdef _pass_on(self, Py_ssize_t count)
    @cython.locals(count=Py_ssize_t, had=longlong)
    cdef _receive_tls(self, TlsStream tls)
    cdef Py_ssize_t _decrypt(self, TlsStream tls) except? -2
    @cython.locals(is_done=bint)
    cdef bint _shake_hands(self, TlsStream tls) except? -1
    cpdef pause(self, int why)
    cpdef resume(self, int why)
    cpdef _watch(self)

    @cython.locals(waiting=Py_ssize_t)
    cdef Py_ssize_t _unsent(self)
    cpdef write(self, bytes data)
    cpdef write_frame(self, int first, bytes payload)
    cdef _cork(self)
    @cython.locals(is_done=bint)
    cpdef flush(self)
    @cython.locals(out=bytearray, count=Py_ssize_t)
    cdef bint _flush_out(self) except? -1
    @cython.locals(tls=TlsStream, start=Py_ssize_t, count=Py_ssize_t, room=p_char)
    cdef Py_ssize_t _give(self, const unsigned char *data, Py_ssize_t size) except? -1

    @cython.locals(head=p_uchar)
    cdef _put_frame(self, int first, const unsigned char *payload, Py_ssize_t size)
    @cython.locals(poller=Poller)
    cdef _put(self, const unsigned char *data, Py_ssize_t size)
    @cython.locals(had=Py_ssize_t)
    cdef _keep(self, const unsigned char *data, Py_ssize_t size)
    @cython.locals(size=Py_ssize_t)
    cdef _flush_cork(self)
    @cython.locals(count=Py_ssize_t)
    cdef _write(self, const unsigned char *data, Py_ssize_t size)
    @cython.locals(poller=Poller, corked=Py_ssize_t, count=Py_ssize_t)
    cdef _hand_over(self, const unsigned char *data, Py_ssize_t size)
    cdef _is_now_blocked(self)
    cpdef end_writing(self)
    cpdef abandon_tls(self)
    cdef _drop_unsent(self)
    cpdef shut(self)
