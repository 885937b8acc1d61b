cdef class TlsStream:
    cdef object __weakref__
    cdef object _socket
    cdef object _object
    cdef readonly bint is_established
    cdef readonly bint wants_write
    cdef public object server_name

    cpdef bint handshake(self) except? -1
    cpdef Py_ssize_t read(self, buffer) except? -2
    cpdef Py_ssize_t pending(self) except? -2
    cpdef Py_ssize_t write(self, data) except? -2
    cpdef end(self)
    cpdef release(self)
