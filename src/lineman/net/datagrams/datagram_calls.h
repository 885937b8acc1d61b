/* Many datagrams by one system call, without a Python object before somebody asks for one. */
#ifndef LINEMAN_DATAGRAM_CALLS_H
#define LINEMAN_DATAGRAM_CALLS_H

/* After Python.h, which Cython includes first, and which says _GNU_SOURCE. */
#include <Python.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { LINEMAN_DATAGRAMS = 32, LINEMAN_DATAGRAM_ROOM = 65536 };

typedef struct {
    struct mmsghdr came[LINEMAN_DATAGRAMS];
    struct iovec rooms[LINEMAN_DATAGRAMS];
    struct sockaddr_in6 from[LINEMAN_DATAGRAMS]; /* the larger one of two */
    unsigned char *memory;
} lineman_datagrams;

static const char *LINEMAN_DATAGRAMS_NAME = "lineman datagrams";

static void lineman_datagrams_free(PyObject *capsule)
{
    lineman_datagrams *batch = PyCapsule_GetPointer(capsule, LINEMAN_DATAGRAMS_NAME);
    if (batch == NULL) return;
    PyMem_RawFree(batch->memory);
    PyMem_RawFree(batch);
}

static inline lineman_datagrams *lineman_datagrams_of(PyObject *capsule)
{
    return PyCapsule_GetPointer(capsule, LINEMAN_DATAGRAMS_NAME);
}

/* The kernel gives the memory when it is first written to: a socket with short datagrams has a page
   of each. */
static inline PyObject *lineman_datagrams_new(void)
{
    lineman_datagrams *batch = PyMem_RawCalloc(1, sizeof *batch);
    PyObject *capsule;
    if (batch == NULL) return PyErr_NoMemory();
    batch->memory = PyMem_RawMalloc((size_t)LINEMAN_DATAGRAMS * LINEMAN_DATAGRAM_ROOM);
    capsule = batch->memory == NULL
                  ? PyErr_NoMemory()
                  : PyCapsule_New(batch, LINEMAN_DATAGRAMS_NAME, lineman_datagrams_free);
    if (capsule == NULL) {
        PyMem_RawFree(batch->memory);
        PyMem_RawFree(batch);
    }
    return capsule;
}

/* How many came; 0 for none now; -1 with OSError. */
static inline int lineman_datagrams_receive(int fd, PyObject *capsule, int most)
{
    lineman_datagrams *batch = lineman_datagrams_of(capsule);
    int count;
    for (int i = 0; i < most; i++) {
        struct msghdr *head = &batch->came[i].msg_hdr;
        batch->rooms[i].iov_base = batch->memory + (size_t)i * LINEMAN_DATAGRAM_ROOM;
        batch->rooms[i].iov_len = LINEMAN_DATAGRAM_ROOM;
        head->msg_name = &batch->from[i];
        head->msg_namelen = sizeof batch->from[i];
        head->msg_iov = &batch->rooms[i];
        head->msg_iovlen = 1;
        head->msg_control = NULL;
        head->msg_controllen = 0;
    }
    do count = recvmmsg(fd, batch->came, (unsigned int)most, MSG_DONTWAIT, NULL);
    while (count < 0 && errno == EINTR);
    if (count >= 0) return count;
    if (errno == EAGAIN) return 0;
    PyErr_SetFromErrno(PyExc_OSError);
    return -1;
}

static inline int lineman_datagram_is_cut(PyObject *capsule, int index)
{
    return (lineman_datagrams_of(capsule)->came[index].msg_hdr.msg_flags & MSG_TRUNC) != 0;
}

static inline PyObject *lineman_datagram_data(PyObject *capsule, int index)
{
    lineman_datagrams *batch = lineman_datagrams_of(capsule);
    return PyBytes_FromStringAndSize((char *)batch->rooms[index].iov_base,
                                     batch->came[index].msg_len);
}

/* The address of who has sent it, as the kernel has it. */
static inline PyObject *lineman_datagram_sender(PyObject *capsule, int index)
{
    struct msghdr *head = &lineman_datagrams_of(capsule)->came[index].msg_hdr;
    return PyBytes_FromStringAndSize(head->msg_name, head->msg_namelen);
}

/* Whether it left; 0 where the kernel has no room for it; -1 with OSError. */
static inline int lineman_datagram_send(int fd, PyObject *sender, PyObject *data)
{
    ssize_t sent;
    do
        sent = sendto(fd, PyBytes_AS_STRING(data), (size_t)PyBytes_GET_SIZE(data),
                      MSG_DONTWAIT | MSG_NOSIGNAL, (void *)PyBytes_AS_STRING(sender),
                      (socklen_t)PyBytes_GET_SIZE(sender));
    while (sent < 0 && errno == EINTR);
    if (sent >= 0) return 1;
    if (errno == EAGAIN || errno == ENOBUFS) return 0;
    PyErr_SetFromErrno(PyExc_OSError);
    return -1;
}

/* (address, port) of a sender. */
static inline PyObject *lineman_datagram_address(PyObject *sender)
{
    struct sockaddr_in6 found = {0};
    const struct sockaddr_in *four = (const struct sockaddr_in *)&found;
    char ip[INET6_ADDRSTRLEN] = "";
    Py_ssize_t size = PyBytes_GET_SIZE(sender);
    memcpy(&found, PyBytes_AS_STRING(sender), size < (Py_ssize_t)sizeof found ? (size_t)size : sizeof found);
    if (found.sin6_family == AF_INET6) {
        inet_ntop(AF_INET6, &found.sin6_addr, ip, sizeof ip);
        return Py_BuildValue("(si)", ip, (int)ntohs(found.sin6_port));
    }
    inet_ntop(AF_INET, &four->sin_addr, ip, sizeof ip);
    return Py_BuildValue("(si)", ip, (int)ntohs(four->sin_port));
}

#endif
