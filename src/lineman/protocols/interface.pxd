cdef class Session:
    cdef public bint has_more

    cpdef use_limits(self, limits)
    cpdef next(self, const unsigned char[::1] data)
    cpdef bytes rest(self, const unsigned char[::1] data)
    cpdef bytes left(self, const unsigned char[::1] data)
    cpdef bint ask_now(self) except -1
    cpdef unfinished(self)
    cpdef Py_ssize_t held(self) except -1
    cpdef ended(self)
    cdef Py_ssize_t encode_into(self, message, unsigned char *room, Py_ssize_t size) except -2
    cdef Py_ssize_t encode_memory(self, bint is_text, const unsigned char *data, Py_ssize_t count, unsigned char *room, Py_ssize_t size) except -2
    cpdef tuple pieces(self, message)
    cpdef bytes encode(self, message)
    cpdef share_key(self)
    cpdef waiting(self, message)
    cpdef bytes leaving(self, entry)
    cpdef closing(self, int code, reason, double now)
    cpdef bint is_answered(self) except -1
    cpdef answer_to(self, event, double now)
    cpdef tuple on_time(self, double now, double last_received, bint is_reading=*)

cdef class Upgrade:
    cdef readonly bytes answer
    cdef readonly Session session
    cdef readonly bytes rest
