cimport cython

from lineman.links cimport records

cdef class Unconfirmed:
    cdef readonly long long _sent
    cdef readonly long long _confirmed
    cdef object _read
    cdef Py_ssize_t _limit
    cdef Py_ssize_t _size
    cdef readonly object _parts

    @cython.locals(size=Py_ssize_t)
    cpdef add(self, data)
    cpdef confirm(self, handled)
