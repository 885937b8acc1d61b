# The function of byteclasses.py as C has it: a look into the table for each byte.

from cpython.bytes cimport PyBytes_AS_STRING

cdef inline Py_ssize_t end_of_run(const unsigned char[::1] data, Py_ssize_t start, Py_ssize_t size, int kind, bytes kinds) except -1:
    cdef const unsigned char *table = <const unsigned char *>PyBytes_AS_STRING(kinds)
    while start < size and table[data[start]] & kind:
        start += 1
    return start
