# What records.py does for every message as C has it: heads without an object for them.

cdef extern from "lineman/links/records.h":
    ctypedef struct Record "lineman_record":
        int kind
        Py_ssize_t size
        long long number

    Record read "lineman_record_read"(const unsigned char *data, Py_ssize_t start) noexcept
    int put "lineman_record_put"(bytearray out, int kind, long long number, const unsigned char *payload, Py_ssize_t size) except -1
    int put_done "lineman_record_put_done"(bytearray out, long long number, Py_ssize_t count) except -1
    bint is_ascii "lineman_is_ascii"(const unsigned char *data, Py_ssize_t start, Py_ssize_t size) noexcept
