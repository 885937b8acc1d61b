cdef class Endpoint:
    cdef readonly object address
    cdef readonly object scheme
    cdef readonly object protocol
    cdef readonly bint is_tls
    cdef readonly bint has_websockets
    cdef readonly bint may_start_tls
    cdef readonly object http_scheme
    cdef readonly object origins
