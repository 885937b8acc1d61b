cdef class Inbox:
    cdef object _connection
    cdef object _events
    cdef Py_ssize_t _size
    cdef bint _has_paused
    cdef bint _is_cancelled
    cdef bint _is_ended
    cdef bint _is_held
    cdef bint _is_opening
    cdef object _task
    cdef object _time
    cdef object _waiter
    cdef public bint is_read
    cdef public bint is_stream
    cdef public bint is_unbegun

    cpdef put(self, event)
    cpdef wake(self)
    cdef _pop(self)
    cdef bint _has_room(self) except -1


cdef class Messages:
    cdef Inbox _inbox
