# The system calls of syscalls.py in C, without a Python object on the ordinary path.

cimport cython
from cpython.exc cimport PyErr_SetFromErrno

ctypedef const unsigned char *p_const_uchar

cdef extern from *:
    """
    #ifndef _GNU_SOURCE
    #define _GNU_SOURCE
    #endif
    #include <arpa/inet.h>
    #include <errno.h>
    #include <netinet/in.h>
    #include <netinet/tcp.h>
    #include <string.h>
    #include <sys/epoll.h>
    #include <sys/socket.h>
    #include <sys/uio.h>
    #include <unistd.h>
    static inline Py_ssize_t lineman_recv(int fd, unsigned char *to, Py_ssize_t size)
    {
        Py_ssize_t count;
        do count = recv(fd, to, (size_t)size, MSG_DONTWAIT); while (count < 0 && errno == EINTR);
        return count >= 0 ? count : errno == EAGAIN ? -1 : -2;
    }
    static inline Py_ssize_t lineman_send(int fd, const unsigned char *from, Py_ssize_t size)
    {
        Py_ssize_t count;
        do count = send(fd, from, (size_t)size, MSG_DONTWAIT | MSG_NOSIGNAL);
        while (count < 0 && errno == EINTR);
        return count >= 0 ? count : errno == EAGAIN ? -1 : -2;
    }
    /* The first byte that waits; -1 for not now, -2 for the end of the stream, -3 for an error. */
    static inline int lineman_peek(int fd)
    {
        unsigned char first;
        Py_ssize_t count;
        do count = recv(fd, &first, 1, MSG_PEEK | MSG_DONTWAIT); while (count < 0 && errno == EINTR);
        return count > 0 ? first : count == 0 ? -2 : errno == EAGAIN ? -1 : -3;
    }
    /* Two pieces in one call, so that a large payload need not be copied behind its header. */
    static inline Py_ssize_t lineman_send_two(int fd, const unsigned char *one, Py_ssize_t one_size,
                                              const unsigned char *two, Py_ssize_t two_size)
    {
        struct iovec pieces[2] = {{(void *)one, (size_t)one_size}, {(void *)two, (size_t)two_size}};
        struct msghdr message = {0};
        Py_ssize_t count;
        message.msg_iov = pieces;
        message.msg_iovlen = 2;
        do count = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        while (count < 0 && errno == EINTR);
        return count >= 0 ? count : errno == EAGAIN ? -1 : -2;
    }
    static inline int lineman_close(int fd)
    {
        shutdown(fd, SHUT_RDWR);
        return close(fd);
    }
    /* A connection's descriptor with the peer's address; -1 where none waits, -2 for an error. */
    static inline int lineman_accept(int listener, char *ip, int *port)
    {
        struct sockaddr_storage peer;
        socklen_t size = sizeof peer;
        int fd;
        do fd = accept4(listener, (struct sockaddr *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        while (fd < 0 && errno == EINTR);
        if (fd < 0) return errno == EAGAIN || errno == ECONNABORTED ? -1 : -2;
        if (peer.ss_family == AF_INET6) {
            const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&peer;
            inet_ntop(AF_INET6, &six->sin6_addr, ip, INET6_ADDRSTRLEN);
            *port = ntohs(six->sin6_port);
        } else if (peer.ss_family == AF_UNIX) {
            memcpy(ip, "unix", 5);
            *port = 0;
        } else {
            const struct sockaddr_in *four = (const struct sockaddr_in *)&peer;
            const unsigned char *byte = (const unsigned char *)&four->sin_addr;
            for (int k = 0; k < 4; k++) {  /* inet_ntop does it by sprintf */
                if (byte[k] >= 100) *ip++ = '0' + byte[k] / 100;
                if (byte[k] >= 10) *ip++ = '0' + byte[k] / 10 % 10;
                *ip++ = '0' + byte[k] % 10;
                *ip++ = k < 3 ? '.' : 0;
            }
            *port = ntohs(four->sin_port);
        }
        return fd;
    }
    static inline void lineman_set_cork(int fd, int value)
    {
        setsockopt(fd, IPPROTO_TCP, TCP_CORK, &value, sizeof value);  /* a unix socket has no packets */
    }
    static inline int lineman_watch(int epoll, int fd, int events)
    {
        struct epoll_event event = {.events = (uint32_t)events, .data.fd = fd};
        return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    }
    """
    int lineman_peek(int fd) noexcept nogil
    void lineman_set_cork(int fd, int value) noexcept nogil
    int lineman_watch(int epoll, int fd, int events) noexcept nogil
    int lineman_close(int fd) noexcept nogil
    int lineman_accept(int listener, char *ip, int *port) noexcept nogil
    Py_ssize_t lineman_recv(int fd, unsigned char *to, Py_ssize_t size) noexcept nogil
    Py_ssize_t lineman_send(int fd, const unsigned char *source, Py_ssize_t size) noexcept nogil
    Py_ssize_t lineman_send_two(int fd, const unsigned char *one, Py_ssize_t one_size, const unsigned char *two, Py_ssize_t two_size) noexcept nogil

    ctypedef union epoll_data_t:
        int fd
    struct epoll_event:
        unsigned int events
        epoll_data_t data
    int epoll_wait(int epfd, epoll_event *events, int maxevents, int timeout) noexcept nogil

@cython.locals(count=Py_ssize_t)
cdef Py_ssize_t receive_into(int fd, unsigned char *room, Py_ssize_t size) except? -2
@cython.locals(count=Py_ssize_t)
cdef Py_ssize_t send_from(int fd, const char *room, Py_ssize_t size) except? -2

cdef char ip_room[64]
cdef int port_room

cpdef add_to_epoll(int epoll, int fd, int events)
cpdef close_fd(int fd)
cpdef hold_back(int fd)
cpdef let_go(int fd)
cdef _set_cork(int fd, int value)

@cython.locals(found=int)
cpdef int peek(int fd) except? -3

@cython.locals(fd=int)
cpdef accept(listener)
