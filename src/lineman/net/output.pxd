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
from lineman.net.syscalls cimport lineman_send_two, send_from
from lineman.net.tlsstream cimport TlsStream
from lineman.protocols.websocket.frames cimport lineman_header

ctypedef unsigned char *p_uchar
ctypedef char *p_char

# As C numbers, for they are compared for every event.
cdef int CORK_SIZE, LARGE, READ, WRITE

cdef class Output(Handler):
    cdef readonly Poller poller
    cdef readonly int fd
    cdef TlsStream _tls
    cdef bytearray _out
    cdef object _error
    cdef bint _is_corked
    cdef bint _is_blocked
    cdef bint _is_broken
    cdef bint _is_dead
    cdef int _paused
    cdef long long _seen_written
    cdef readonly long long bytes_written

    cdef _attach(self, Poller poller, int fd, TlsStream tls)
    cpdef break_off(self, error)
    cpdef on_blocked(self)
    cpdef on_unblocked(self)

    cpdef _watch(self)
    @cython.locals(waiting=Py_ssize_t)
    cdef Py_ssize_t _unsent(self)
    cpdef write(self, bytes data)
    cpdef write_frame(self, int first, bytes payload)
    cdef _cork(self)
    cdef _call_flush(self)
    @cython.locals(is_done=bint)
    cpdef flush(self)
    cdef _block(self)
    cdef _break(self, error)
    @cython.locals(out=bytearray, count=Py_ssize_t)
    cdef bint _flush_out(self) except? -1
    cdef Py_ssize_t _give(self, const unsigned char *data, Py_ssize_t size) except? -1
    @cython.locals(tls=TlsStream, start=Py_ssize_t, count=Py_ssize_t, room=p_char)
    cdef Py_ssize_t _give_some(self, const unsigned char *data, Py_ssize_t size) except? -1

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
    cdef _drop_unsent(self)
