cimport cython

from lineman.base cimport buffers
from lineman.net.loop cimport syscalls
from lineman.net.loop.poller cimport Poller
from lineman.net.stream.tlsstream cimport TlsStream

# As C numbers, for they are compared for every event.
cdef int BLOCKED, BROKE, QUIET, UNBLOCKED
cdef int CORK_SIZE, LARGE, ONCE, READ, ROOM, WRITE

cdef class StreamOutput:
    cdef readonly Poller poller
    cdef readonly int fd
    cdef readonly TlsStream tls
    cdef readonly object error
    cdef bytearray _out
    cdef Py_ssize_t _clear
    cdef readonly int paused
    cdef bint _is_due
    cdef readonly bint is_blocked
    cdef bint _is_broken
    cdef readonly bint is_dead
    cdef readonly bint is_hung_up
    cdef readonly bint is_starting_tls
    cdef readonly long long bytes_written

    cdef _begin(self, Poller poller, int fd, TlsStream tls)
    @cython.locals(waiting=Py_ssize_t)
    cpdef Py_ssize_t unsent(self) except -1
    cpdef write(self, bytes data)
    @cython.locals(writes=bint, read=int, events=int)
    cdef _watch(self)
    cdef _cork(self)
    cdef _call_flush(self)
    @cython.locals(is_done=bint)
    cpdef int flush(self) except -1
    cdef _block(self)
    cdef fail(self, error)
    cdef take_error(self)
    @cython.locals(out=bytearray, count=Py_ssize_t)
    cdef bint _flush_out(self) except? -1
    @cython.locals(count=Py_ssize_t)
    cdef _flush_clear(self, bytearray out)
    @cython.locals(tls=TlsStream, start=Py_ssize_t, count=Py_ssize_t)
    cdef Py_ssize_t _give(self, const unsigned char *data, Py_ssize_t size) except? -1

    @cython.locals(poller=Poller)
    cdef put(self, const unsigned char *data, Py_ssize_t size)
    @cython.locals(poller=Poller)
    cdef unsigned char *room(self) except NULL
    cdef wrote(self, const unsigned char *data, Py_ssize_t size)
    cdef _keep_unsent(self, const unsigned char *data, Py_ssize_t start, Py_ssize_t size)
    @cython.locals(size=Py_ssize_t)
    cdef _flush_cork(self)
    @cython.locals(count=Py_ssize_t)
    cdef _write(self, const unsigned char *data, Py_ssize_t size)
    @cython.locals(poller=Poller, corked=Py_ssize_t, count=Py_ssize_t)
    cdef _hand_over(self, const unsigned char *data, Py_ssize_t size)
    cdef _drop_unsent(self)
    cdef bint borrow_cork(self) except -1
    @cython.locals(size=Py_ssize_t)
    cdef return_cork(self)

    cdef start_tls(self, TlsStream tls)
    cdef go_on(self)
    cdef forgo_tls(self)
    cdef _drop_tls(self)
