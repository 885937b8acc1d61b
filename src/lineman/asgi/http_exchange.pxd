from lineman.asgi.app_calls cimport AppCall

cdef long long _HIGH_WATER
cdef int NOTHING, STARTED, SENDING, TRAILING, DONE

cdef class HttpExchange(AppCall):
    cdef object _connection
    cdef bint _has_request
    cdef object _head
    cdef object _incoming
    cdef long long _left
    cdef bint _sends
    cdef object _stage
    cdef int _state
    cdef int _status
    cdef bint _wants_trailers
    cdef readonly bint has_begun
    cdef readonly bint is_blocked
    cdef readonly bint is_events
    cdef readonly bint waits_for_body

    cdef _next_of_body(self)
    cdef _take_start(self, message)
    cdef _take_body(self, message)
    cdef _send_whole(self, head, bytes body)
    cdef _send_head(self, head)
    cdef _send_piece(self, bytes body)
    cdef _end_body(self)
    cdef _end(self, bytes trailers)
    cdef _take_trailers(self, message)
