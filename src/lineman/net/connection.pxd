cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE

from lineman.net.backpressure cimport Backpressure
from lineman.net.causes cimport close_cause, failure_cause
from lineman.net.service cimport Service
from lineman.net.tally cimport Tally

ctypedef const char *p_const_char
ctypedef const unsigned char *p_const_uchar

cdef extern from *:
    """
    /* The text as UTF-8 without a copy where it is ASCII; NULL, and no error, where it has none. */
    static inline const char *lineman_utf8(PyObject *text, Py_ssize_t *size)
    {
        const char *data = PyUnicode_AsUTF8AndSize(text, size);
        if (data == NULL) PyErr_Clear();
        return data;
    }
    """
    const char *_utf8 "lineman_utf8"(object text, Py_ssize_t *size)

cdef int FIRST_OF_BINARY, FIRST_OF_TEXT

cdef class Connection(Backpressure):
    cpdef enlist(self)
    @cython.locals(service=Service, tally=Tally, is_broken_rule=bint, code=int, is_ours=bint)
    cpdef unlist(self)
    cpdef send(self, message, key=*)
    @cython.locals(size=Py_ssize_t, text=p_const_char, data=p_const_uchar)
    cdef _send_native(self, message)
    cdef _to_wait(self, message)
    cpdef bint send_encoded(self, bytes frame, key) except? -1
