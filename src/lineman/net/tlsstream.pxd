cdef class TlsStream:
    cdef object __weakref__
    cdef object _socket
    cdef object _object
    cdef object _challenges
    cdef Py_ssize_t _looked_at
    cdef bint _is_challenge
    cdef readonly bint is_established
    cdef readonly bint wants_write
    cdef public object server_name

    cpdef bint handshake(self) except? -1
    cdef bint _look_at_hello(self, challenges) except -1
    cdef _wait_for(self, int count)
    cdef _choose(self, challenges, hello)
    cpdef Py_ssize_t read(self, buffer) except? -2
    cpdef Py_ssize_t pending(self) except? -2
    cpdef Py_ssize_t write(self, data) except? -2
    cpdef end(self)
    cpdef release(self)
