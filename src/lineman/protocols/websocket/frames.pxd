# What frames.py does for every message as C has it, without an object for a header.

cdef extern from "lineman/protocols/websocket/frames.h":
    ctypedef struct Sizes "lineman_sizes":
        Py_ssize_t head
        Py_ssize_t payload

    Sizes ordinary "lineman_ordinary"(const unsigned char *frame, Py_ssize_t available) noexcept
    unsigned int word_of "lineman_word"(const unsigned char *data, Py_ssize_t at) noexcept
    bytes unmask "lineman_unmask"(const unsigned char *data, Py_ssize_t start, Py_ssize_t size, unsigned int mask)
    str unmask_ascii "lineman_unmask_ascii"(const unsigned char *data, Py_ssize_t start, Py_ssize_t size, unsigned int mask)
    void mask_into "lineman_mask_into"(unsigned char *to, Py_ssize_t at, const unsigned char *data, Py_ssize_t size, unsigned int mask) noexcept
    Py_ssize_t put_header "lineman_header"(unsigned char *to, int first, Py_ssize_t size) noexcept
