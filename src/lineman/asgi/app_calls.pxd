cdef int _SHARE

cdef class AppCall:
    cdef object _served
    cdef int _share
    cdef list _waiters
    cdef readonly dict scope
    cdef readonly bint is_gone
    cdef public object task

    cdef _begin_call(self, served, dict scope)
    cdef _wake(self)
    cdef _new_waiter(self)
    cdef _drop_waiter(self, waiter)
    cdef bint _spend(self) except -1
    cdef _ended(self, error)
