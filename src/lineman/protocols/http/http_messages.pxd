from lineman.base cimport unknown_names

cdef class Headers:
    cdef list _lines
    cdef dict _index
    cdef bytes _head
    cdef list _encoded

    cdef _find(self, name)
    cdef _search(self, name)
    cdef _build(self, lines)
    cpdef forget_looks(self)

cdef class RequestFields:
    cdef public object method
    cdef public object target
    cdef public object version
    cdef object _headers
    cdef bytes _head
    cdef public object body
    cdef public bint upgrade
    cdef public bint keep_alive
    cdef public object remote_ip
    cdef public int remote_port
    cdef public object scheme
    cdef object _path
    cdef dict _query
    cdef dict _cookies
    cdef readonly bint is_disconnected
    cdef list _watchers
    cdef object _form

    cpdef forget_looks(self)
    cpdef tuple _parts(self)

cdef class Request(RequestFields):
    pass
