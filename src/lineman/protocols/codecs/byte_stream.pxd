from lineman.base cimport buffers
from lineman.protocols.interface cimport Session

cimport cython

cdef Py_ssize_t _LARGE

cdef class StreamSession(Session):
    cdef object _limits
    cdef long long _most
    cdef bytearray _begun
    cdef Py_ssize_t _position
    cdef bint _is_over

    cpdef use_limits(self, limits)
    @cython.locals(size=Py_ssize_t)
    cpdef next(self, const unsigned char[::1] data)
    cdef _take(self, const unsigned char *data, Py_ssize_t size)
    cdef _fail(self, int code, str reason)
    cdef _too_big(self, size, str hint=*)
    cpdef bytes rest(self, const unsigned char[::1] data)
    @cython.locals(begun=bytearray, rest=bytes)
    cpdef bytes left(self, const unsigned char[::1] data)
    cpdef unfinished(self)
    cpdef Py_ssize_t held(self) except -1
    cpdef ended(self)
    @cython.locals(payload=buffers.Payload)
    cdef Py_ssize_t encode_into(self, message, unsigned char *room, Py_ssize_t size) except -2
    cdef Py_ssize_t encode_memory(self, bint is_text, const unsigned char *data, Py_ssize_t count, unsigned char *room, Py_ssize_t size) except -2
    cdef Py_ssize_t _put(self, const unsigned char *payload, Py_ssize_t count, unsigned char *room, Py_ssize_t size) except -2
    cpdef tuple on_time(self, double now, double last_received, bint is_reading=*)

cpdef bytes payload_bytes(message)
