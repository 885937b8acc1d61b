cimport cython

from lineman.base cimport buffers
from lineman.protocols.websocket cimport byteclasses

# As C numbers: they are compared for every byte.
cdef int HOST, UPGRADE, CONNECTION, KEY, VERSION, REQUIRED, ORIGIN, SUBPROTOCOLS, EXTENSIONS, UNUSUAL
cdef int SPACE, TAB, CR, LF, COLON, MAX_LINES
cdef int IS_TOKEN, IS_VALUE, IS_TARGET, IS_HOST, IS_BASE64, IS_DIGIT
cdef bytes KINDS
cdef tuple _NAMES, _WHAT

cdef class Opening:
    cdef readonly bytes head
    cdef readonly str key
    cdef readonly bint is_bare

@cython.locals(head=bytes, size=Py_ssize_t, position=Py_ssize_t, start=Py_ssize_t, stop=Py_ssize_t, end=Py_ssize_t, key=Py_ssize_t, seen=int, what=int, lines=int)
cpdef Opening read_opening(const unsigned char[::1] data, Py_ssize_t max_size)
cdef Py_ssize_t _run(const unsigned char[::1] data, Py_ssize_t start, Py_ssize_t size, int kind) except -1
cdef Py_ssize_t _trimmed(const unsigned char[::1] data, Py_ssize_t start, Py_ssize_t end) except -1
@cython.locals(length=Py_ssize_t, index=Py_ssize_t)
cdef bint _has(const unsigned char[::1] data, Py_ssize_t start, Py_ssize_t size, bytes text) except -1
@cython.locals(index=Py_ssize_t)
cdef bint _is(const unsigned char[::1] data, Py_ssize_t start, Py_ssize_t length, bytes word) except -1
@cython.locals(size=Py_ssize_t, what=int, is_usual=bint)
cdef int _header(const unsigned char[::1] data, Py_ssize_t name, Py_ssize_t length, Py_ssize_t value, Py_ssize_t end) except -1
@cython.locals(stop=Py_ssize_t)
cdef bint _is_host(const unsigned char[::1] data, Py_ssize_t value, Py_ssize_t end) except -1
