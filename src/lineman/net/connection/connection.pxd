cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE

from lineman.net.connection.backpressure cimport Backpressure
from lineman.net.connection.end_causes cimport close_cause, failure_cause
from lineman.net.service cimport Service
from lineman.net.connection.counters cimport Tally
from lineman.protocols.utf8 cimport lineman_utf8

ctypedef const char *p_const_char
ctypedef const unsigned char *p_const_uchar

cdef extern from "Python.h":
    int PyObject_GenericSetAttr(object thing, object name, object value) except -1

cdef int FIRST_OF_BINARY, FIRST_OF_TEXT

cdef class Connection(Backpressure):
    cpdef enlist(self)
    @cython.locals(service=Service, tally=Tally, is_broken_rule=bint, code=int, is_ours=bint)
    cpdef unlist(self)
    cpdef send(self, message, key=*)
    @cython.locals(size=Py_ssize_t, text=p_const_char, data=p_const_uchar)
    cdef _send_native(self, message)
    cdef bint send_memory(self, bint is_text, const unsigned char *data, Py_ssize_t size) except -1
    cdef bint _has_written(self) except -1
    cdef bint borrow_cork(self) except -1
    cdef return_cork(self)
    cdef _to_wait(self, message)
    cpdef bint send_encoded(self, bytes frame, key) except? -1
