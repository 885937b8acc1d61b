cdef class Member:
    cdef public object uid
    cdef public object groups
