from lineman.asgi.app_calls cimport AppCall

cdef Py_ssize_t _MAX_SIZE, _MAX_MESSAGES
cdef long long _HIGH_WATER
cdef int _CHUNKED, _NO_BODY
cdef int ASKED, OPENED, DENYING, ENDED

cdef class WebsocketExchange(AppCall):
    cdef object _connection
    cdef bint _has_connected
    cdef object _head
    cdef bint _is_paused
    cdef list _messages
    cdef Py_ssize_t _size
    cdef object _stage
    cdef int _state
    cdef readonly int close_code
    cdef readonly object close_reason
    cdef readonly bint has_begun
    cdef readonly bint is_blocked
    cdef readonly bint is_events
    cdef readonly bint waits_for_body

    cpdef put(self, message)
    cdef _pop(self)
    cdef _send(self, message)
    cdef _close(self, message)
    cdef _decide(self, str kind, message)
    cdef _accept(self, message)
    cdef _deny(self, message)
