/* One epoll, and the batch of what is ready in it, without a Python object for either. */
#ifndef LINEMAN_EPOLL_H
#define LINEMAN_EPOLL_H

#include <Python.h>

#include <sys/epoll.h>

/* Raises OSError for a call that has failed. */
static inline int lineman_epoll_answer(int answer)
{
    if (answer < 0) PyErr_SetFromErrno(PyExc_OSError);
    return answer;
}

static inline int lineman_epoll_change(int epoll, int how, int fd, int events)
{
    struct epoll_event event = {.events = (uint32_t)events, .data.fd = fd};
    return lineman_epoll_answer(epoll_ctl(epoll, how, fd, &event));
}

static inline int lineman_epoll_add(int epoll, int fd, int events)
{
    return lineman_epoll_change(epoll, EPOLL_CTL_ADD, fd, events);
}

static inline int lineman_epoll_modify(int epoll, int fd, int events)
{
    return lineman_epoll_change(epoll, EPOLL_CTL_MOD, fd, events);
}

static inline int lineman_epoll_remove(int epoll, int fd)
{
    return lineman_epoll_change(epoll, EPOLL_CTL_DEL, fd, 0);
}

/* Room for a batch: a bytearray, which has the alignment of malloc. */
static inline PyObject *lineman_batch_new(int size)
{
    return PyByteArray_FromStringAndSize(NULL, size * (Py_ssize_t)sizeof(struct epoll_event));
}

static inline struct epoll_event *lineman_batch(PyObject *room)
{
    return (struct epoll_event *)(void *)PyByteArray_AS_STRING(room);
}

/* How many are ready; none where the call was interrupted. */
static inline int lineman_epoll_poll(int epoll, PyObject *room, int size)
{
    int count = epoll_wait(epoll, lineman_batch(room), size, 0);
    return count < 0 ? 0 : count;
}

static inline int lineman_batch_fd(PyObject *room, int index)
{
    return lineman_batch(room)[index].data.fd;
}

static inline int lineman_batch_events(PyObject *room, int index)
{
    return (int)lineman_batch(room)[index].events;
}

#endif
