# The system calls of syscalls.py as C has them, for the modules that are compiled.

cdef extern from "lineman/net/loop/syscalls.h":
    Py_ssize_t lineman_receive(int fd, unsigned char *to, Py_ssize_t size) except? -2
    Py_ssize_t send_from "lineman_send"(int fd, const unsigned char *data, Py_ssize_t start, Py_ssize_t size) except? -2
    Py_ssize_t send_two "lineman_send_two"(int fd, const unsigned char *one, Py_ssize_t one_size, const unsigned char *two, Py_ssize_t two_size) except? -2
    int peek "lineman_peek"(int fd) except? -3
    object accept "lineman_accept"(int listener)
    void close_fd "lineman_close"(int fd) noexcept
    void finish_writing "lineman_finish_writing"(int fd) noexcept
    void lineman_set_cork(int fd, int value) noexcept

cdef enum:
    AGAIN = -1
    ENDED = -2

cdef inline Py_ssize_t receive(int fd, unsigned char[::1] buffer, Py_ssize_t size) except? -2:
    return lineman_receive(fd, &buffer[0], size)

cdef inline int hold_back(int fd) except -1:
    lineman_set_cork(fd, 1)
    return 0

cdef inline int let_go(int fd) except -1:
    lineman_set_cork(fd, 0)
    return 0
