cimport cython

from lineman.base cimport buffers
from lineman.net.loop cimport syscalls
from lineman.net.stream cimport tlscalls

cdef int RECORD

cdef class TlsStream:
    cdef object __weakref__
    cdef int _fd
    cdef object _socket
    cdef object _object
    cdef void *_channel
    cdef object _challenges
    cdef Py_ssize_t _looked_at
    cdef bint _is_challenge
    cdef bint _has_begun
    cdef object _host
    cdef readonly bint holds_back
    cdef readonly bint is_established
    cdef readonly bint wants_write
    cdef readonly bint is_direct
    cdef public object server_name

    cdef _begin(self, context)
    @cython.locals(is_server=bint)
    cpdef bint handshake(self) except? -1
    @cython.locals(answer=int)
    cdef bint _shake(self) except? -1
    cdef _refuse_expired(self)
    @cython.locals(is_whole=bint)
    cdef bint _look_at_hello(self) except -1
    cdef _peek(self, int size)
    cdef bint _waits_for_more(self, Py_ssize_t seen) except -1
    cdef _wait_for(self, int count)
    cdef _choose(self, challenges, hello)
    cpdef Py_ssize_t read(self, buffer) except? -2
    @cython.locals(count=Py_ssize_t)
    cdef Py_ssize_t read_into(self, unsigned char[::1] buffer) except? -4
    cpdef bint pending(self) except? -1
    cpdef Py_ssize_t write(self, data) except? -2
    @cython.locals(count=Py_ssize_t)
    cdef Py_ssize_t write_from(self, const unsigned char *data, Py_ssize_t start, Py_ssize_t size) except? -2
    cpdef end(self)
    cpdef let_go(self)
    cpdef release(self)

cpdef bint is_direct() except? -1
