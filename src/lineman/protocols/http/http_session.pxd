cimport cython

from lineman.protocols.interface cimport Session

# As a C number.
cdef Py_ssize_t _PIECE
cdef double _BODY_RATE

cdef class HttpSession(Session):
    cdef readonly object request
    cdef readonly bint is_idle
    cdef readonly bint is_over
    cdef readonly bint sends_body
    cdef readonly bint ends_by_closing
    cdef public bint streams
    cdef bint _is_chunked
    cdef bint _keeps
    cdef object _limits
    cdef object _parser
    cdef list _requests
    cdef Py_ssize_t _position
    cdef double _since

    cdef _begin(self, limits, double since)
    @cython.locals(size=Py_ssize_t)
    cpdef next(self, const unsigned char[::1] data)
    cpdef wake(self, double now)
    cdef _feed(self, const unsigned char[::1] data)
    cdef _fail(self, error)
    cpdef bytes rest(self, const unsigned char[::1] data)
    cpdef unfinished(self)
    cpdef Py_ssize_t held(self) except -1
    cpdef answer_to(self, event, double now)
    cpdef tuple on_time(self, double now, double last_received, bint is_reading=*)
    cdef bint _may_keep(self, bint may_keep) except -1
    cdef _answered(self, bint keeps, double now)
    cpdef bytes refuse(self, error)
    cpdef take_body(self, bytes data)
    cpdef bytes begin_encoded(self, int status, bytes lines, long long length, bint may_keep)
