/* The system calls of the data path, without a Python object on the ordinary path.

   Each raises OSError by itself, and then returns what its line in syscalls.pxd says. */
#ifndef LINEMAN_SYSCALLS_H
#define LINEMAN_SYSCALLS_H

#include <Python.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* What a call says that has failed: -1 for not now; `error`, which it raises, for any other. */
static inline int lineman_failed(int error)
{
    if (errno == EAGAIN) return -1;
    PyErr_SetFromErrno(PyExc_OSError);
    return error;
}

static inline Py_ssize_t lineman_receive(int fd, unsigned char *to, Py_ssize_t size)
{
    Py_ssize_t count;
    do count = recv(fd, to, (size_t)size, MSG_DONTWAIT); while (count < 0 && errno == EINTR);
    return count >= 0 ? count : lineman_failed(-2);
}

static inline Py_ssize_t lineman_send(int fd, const unsigned char *from, Py_ssize_t start,
                                      Py_ssize_t size)
{
    Py_ssize_t count;
    do count = send(fd, from + start, (size_t)size, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (count < 0 && errno == EINTR);
    return count >= 0 ? count : lineman_failed(-2);
}

static inline Py_ssize_t lineman_send_two(int fd, const unsigned char *one, Py_ssize_t one_size,
                                          const unsigned char *two, Py_ssize_t two_size)
{
    struct iovec pieces[2] = {{(void *)one, (size_t)one_size}, {(void *)two, (size_t)two_size}};
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = 2};
    Py_ssize_t count;
    do count = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (count < 0 && errno == EINTR);
    return count >= 0 ? count : lineman_failed(-2);
}

/* The first byte that waits; -1 for not now, -2 for the end of the stream, -3 for an error. */
static inline int lineman_peek(int fd)
{
    unsigned char first;
    Py_ssize_t count;
    do count = recv(fd, &first, 1, MSG_PEEK | MSG_DONTWAIT); while (count < 0 && errno == EINTR);
    return count > 0 ? first : count == 0 ? -2 : lineman_failed(-3);
}

static inline void lineman_close(int fd)
{
    shutdown(fd, SHUT_RDWR);
    close(fd);
}

static inline void lineman_finish_writing(int fd)
{
    shutdown(fd, SHUT_WR);  /* of a connection that is gone already: fine */
}

static inline void lineman_set_cork(int fd, int value)
{
    setsockopt(fd, IPPROTO_TCP, TCP_CORK, &value, sizeof value);  /* a unix socket has no packets */
}

/* An IPv4 address as text; inet_ntop does it by sprintf. */
static inline void lineman_dotted(char *to, const struct in_addr *address)
{
    const unsigned char *byte = (const unsigned char *)address;
    for (int k = 0; k < 4; k++) {
        if (byte[k] >= 100) *to++ = (char)('0' + byte[k] / 100);
        if (byte[k] >= 10) *to++ = (char)('0' + byte[k] / 10 % 10);
        *to++ = (char)('0' + byte[k] % 10);
        *to++ = k < 3 ? '.' : 0;
    }
}

/* (descriptor, (address, port)); None where nobody waits; NULL where an error was raised. */
static inline PyObject *lineman_accept(int listener)
{
    struct sockaddr_storage peer;
    socklen_t size = sizeof peer;
    char ip[INET6_ADDRSTRLEN] = "unix";
    int port = 0, fd;
    do fd = accept4(listener, (struct sockaddr *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    while (fd < 0 && errno == EINTR);
    if (fd < 0) {
        if (errno == EAGAIN || errno == ECONNABORTED) Py_RETURN_NONE;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    if (peer.ss_family == AF_INET6) {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&peer;
        inet_ntop(AF_INET6, &six->sin6_addr, ip, sizeof ip);
        port = ntohs(six->sin6_port);
    } else if (peer.ss_family == AF_INET) {
        const struct sockaddr_in *four = (const struct sockaddr_in *)&peer;
        lineman_dotted(ip, &four->sin_addr);
        port = ntohs(four->sin_port);
    }
    return Py_BuildValue("i(si)", fd, ip, port);
}

#endif
