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

enum { LINEMAN_DATAGRAMS = 32, LINEMAN_DATAGRAM_ROOM = 65536, LINEMAN_CONTROL_ROOM = 64 };

/* Where a datagram came from, and which address of ours it was sent to; all unused bytes are 0, so
   that equal ones have equal bytes. */
typedef struct {
    struct sockaddr_in6 peer; /* or a sockaddr_in, which is smaller */
    struct in6_addr local;    /* or an in_addr */
    unsigned char has_local;
} lineman_sender;

typedef union {
    struct cmsghdr head; /* for its alignment */
    unsigned char bytes[LINEMAN_CONTROL_ROOM];
} lineman_control;

typedef struct {
    struct mmsghdr came[LINEMAN_DATAGRAMS];
    struct iovec rooms[LINEMAN_DATAGRAMS];
    struct sockaddr_in6 from[LINEMAN_DATAGRAMS];
    lineman_control control[LINEMAN_DATAGRAMS];
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
    if (most > LINEMAN_DATAGRAMS) most = LINEMAN_DATAGRAMS;
    for (int i = 0; i < most; i++) {
        struct msghdr *head = &batch->came[i].msg_hdr;
        batch->rooms[i].iov_base = batch->memory + (size_t)i * LINEMAN_DATAGRAM_ROOM;
        batch->rooms[i].iov_len = LINEMAN_DATAGRAM_ROOM;
        head->msg_name = &batch->from[i];
        head->msg_namelen = sizeof batch->from[i];
        head->msg_iov = &batch->rooms[i];
        head->msg_iovlen = 1;
        head->msg_control = &batch->control[i];
        head->msg_controllen = sizeof batch->control[i];
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

/* Notes which address of ours a datagram was sent to, where the kernel says it (ip(7), IP_PKTINFO;
   ipv6(7), IPV6_PKTINFO). An answer to a group leaves from whichever address the kernel takes. */
static inline void lineman_note_local(lineman_sender *sender, struct msghdr *head)
{
    for (struct cmsghdr *said = CMSG_FIRSTHDR(head); said != NULL; said = CMSG_NXTHDR(head, said)) {
        if (said->cmsg_level == IPPROTO_IP && said->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo four;
            memcpy(&four, CMSG_DATA(said), sizeof four);
            memcpy(&sender->local, &four.ipi_spec_dst, sizeof four.ipi_spec_dst);
            sender->has_local = 1;
        } else if (said->cmsg_level == IPPROTO_IPV6 && said->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo six;
            memcpy(&six, CMSG_DATA(said), sizeof six);
            if (IN6_IS_ADDR_MULTICAST(&six.ipi6_addr)) continue;
            sender->local = six.ipi6_addr;
            sender->has_local = 1;
        }
    }
}

/* The address of who has sent it, as the kernel has it, and ours. */
static inline PyObject *lineman_datagram_sender(PyObject *capsule, int index)
{
    struct msghdr *head = &lineman_datagrams_of(capsule)->came[index].msg_hdr;
    lineman_sender sender;
    size_t size = head->msg_namelen;
    memset(&sender, 0, sizeof sender);
    memcpy(&sender.peer, head->msg_name, size < sizeof sender.peer ? size : sizeof sender.peer);
    if (head->msg_controllen > 0) lineman_note_local(&sender, head);
    return PyBytes_FromStringAndSize((char *)&sender, sizeof sender);
}

/* Somebody to send to: an address of 4 or 16 bytes. */
static inline PyObject *lineman_sender_at(PyObject *ip, int port, unsigned int scope)
{
    lineman_sender sender;
    struct sockaddr_in *four = (struct sockaddr_in *)&sender.peer;
    memset(&sender, 0, sizeof sender);
    if (PyBytes_GET_SIZE(ip) == 4) {
        four->sin_family = AF_INET;
        four->sin_port = htons((uint16_t)port);
        memcpy(&four->sin_addr, PyBytes_AS_STRING(ip), 4);
    } else {
        sender.peer.sin6_family = AF_INET6;
        sender.peer.sin6_port = htons((uint16_t)port);
        sender.peer.sin6_scope_id = scope;
        memcpy(&sender.peer.sin6_addr, PyBytes_AS_STRING(ip), 16);
    }
    return PyBytes_FromStringAndSize((char *)&sender, sizeof sender);
}

/* Has the datagram leave from the address that the one it answers was sent to. */
static inline void lineman_leave_from(struct msghdr *head, lineman_control *control,
                                      const lineman_sender *sender)
{
    struct cmsghdr *said;
    memset(control, 0, sizeof *control);
    head->msg_control = control;
    head->msg_controllen = sizeof *control;
    said = CMSG_FIRSTHDR(head);
    if (sender->peer.sin6_family == AF_INET6) {
        struct in6_pktinfo six = {.ipi6_addr = sender->local};
        said->cmsg_level = IPPROTO_IPV6;
        said->cmsg_type = IPV6_PKTINFO;
        said->cmsg_len = CMSG_LEN(sizeof six);
        memcpy(CMSG_DATA(said), &six, sizeof six);
        head->msg_controllen = CMSG_SPACE(sizeof six);
    } else {
        struct in_pktinfo four = {0};
        memcpy(&four.ipi_spec_dst, &sender->local, sizeof four.ipi_spec_dst);
        said->cmsg_level = IPPROTO_IP;
        said->cmsg_type = IP_PKTINFO;
        said->cmsg_len = CMSG_LEN(sizeof four);
        memcpy(CMSG_DATA(said), &four, sizeof four);
        head->msg_controllen = CMSG_SPACE(sizeof four);
    }
}

static inline ssize_t lineman_sendmsg(int fd, const struct msghdr *head)
{
    ssize_t sent;
    do sent = sendmsg(fd, head, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent;
}

/* Whether it left; 0 where the kernel has no room for it; -1 with OSError. */
static inline int lineman_datagram_send(int fd, PyObject *to, PyObject *data)
{
    lineman_sender sender;
    lineman_control control;
    struct iovec piece = {PyBytes_AS_STRING(data), (size_t)PyBytes_GET_SIZE(data)};
    struct msghdr head = {.msg_name = &sender.peer, .msg_iov = &piece, .msg_iovlen = 1};
    ssize_t sent;
    memcpy(&sender, PyBytes_AS_STRING(to), sizeof sender);
    head.msg_namelen = sender.peer.sin6_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                           : sizeof(struct sockaddr_in);
    if (sender.has_local) lineman_leave_from(&head, &control, &sender);
    sent = lineman_sendmsg(fd, &head);
    if (sent < 0 && sender.has_local
        && (errno == EINVAL || errno == ENETUNREACH || errno == EADDRNOTAVAIL)) {
        /* What it was sent to is no address of ours (any more): a broadcast, say. */
        head.msg_control = NULL;
        head.msg_controllen = 0;
        sent = lineman_sendmsg(fd, &head);
    }
    if (sent >= 0) return 1;
    if (errno == EAGAIN || errno == ENOBUFS) return 0;
    PyErr_SetFromErrno(PyExc_OSError);
    return -1;
}

/* (address, port) of a sender. */
static inline PyObject *lineman_datagram_address(PyObject *bytes)
{
    lineman_sender sender;
    const struct sockaddr_in *four = (const struct sockaddr_in *)&sender.peer;
    char ip[INET6_ADDRSTRLEN] = "";
    memcpy(&sender, PyBytes_AS_STRING(bytes), sizeof sender);
    if (sender.peer.sin6_family == AF_INET6) {
        inet_ntop(AF_INET6, &sender.peer.sin6_addr, ip, sizeof ip);
        return Py_BuildValue("(si)", ip, (int)ntohs(sender.peer.sin6_port));
    }
    inet_ntop(AF_INET, &four->sin_addr, ip, sizeof ip);
    return Py_BuildValue("(si)", ip, (int)ntohs(four->sin_port));
}

/* The address of ours that a datagram was sent to; empty where it is not known. */
static inline PyObject *lineman_datagram_local(PyObject *bytes)
{
    lineman_sender sender;
    char ip[INET6_ADDRSTRLEN] = "";
    memcpy(&sender, PyBytes_AS_STRING(bytes), sizeof sender);
    if (sender.has_local) {
        int family = sender.peer.sin6_family == AF_INET6 ? AF_INET6 : AF_INET;
        inet_ntop(family, &sender.local, ip, sizeof ip);
    }
    return PyUnicode_FromString(ip);
}

#endif
