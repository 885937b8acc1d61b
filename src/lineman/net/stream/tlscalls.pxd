# The functions of tlscalls.py as C has them.

from cpython.bytes cimport PyBytes_GET_SIZE

cdef extern from "lineman/net/stream/tlscalls.h":
    int NAMED "LINEMAN_TLS_FUNCTIONS"
    bint is_ready "lineman_tls_is_ready"() noexcept
    void lineman_tls_functions(bytes table) noexcept
    void *connection "lineman_tls_pointer"(object connection) noexcept
    bint attach "lineman_tls_attach"(void *ssl, int fd) noexcept
    int handshake "lineman_tls_handshake"(void *ssl) noexcept
    Py_ssize_t lineman_tls_read(void *ssl, unsigned char *to, Py_ssize_t size) noexcept
    Py_ssize_t write "lineman_tls_write"(void *ssl, const unsigned char *data, Py_ssize_t start, Py_ssize_t size) noexcept
    bint pending "lineman_tls_pending"(void *ssl) noexcept
    void end "lineman_tls_end"(void *ssl) noexcept
    int last_errno "lineman_tls_last_errno"() noexcept

cdef enum:
    ARE_IN_C = 1
    DONE = 1
    NO_ROOM = 2
    FAILED = 3

cdef inline int use(bytes table) except -1:
    assert PyBytes_GET_SIZE(table) == NAMED * sizeof(void *)
    lineman_tls_functions(table)
    return 0

cdef inline Py_ssize_t read(void *ssl, unsigned char[::1] buffer) noexcept:
    return lineman_tls_read(ssl, &buffer[0], buffer.shape[0])
