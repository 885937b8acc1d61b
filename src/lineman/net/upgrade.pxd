cdef class HttpStage:
    cdef object _connection
    cdef object _parser
    cdef list _requests
    cdef bint _is_ended
    cdef readonly bint is_idle
    cdef readonly bint is_answering
    cdef readonly bint is_deciding
    cdef object _key
    cdef bytes _rest
    cdef tuple _headers
    cdef object _refusal
    cdef tuple _compression

    cdef bint _is_direct(self) except -1
    cdef _find_client(self, request)
    cdef _judge(self, request)
    cdef _decide(self)
    cdef _accept(self)
