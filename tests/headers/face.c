/* Gives the functions of the headers names that a test can call. */
#define PY_SSIZE_T_CLEAN
#include "lineman/base/buffers.h"
#include "lineman/links/records.h"
#include "lineman/net/loop/epoll.h"
#include "lineman/net/loop/syscalls.h"
#include "lineman/net/loop/ticks.h"
#include "lineman/protocols/websocket/acceptkey.h"
#include "lineman/protocols/websocket/frames.h"

typedef const unsigned char *bytes;

lineman_sizes ordinary(bytes frame, Py_ssize_t available)
{
    return lineman_ordinary(frame, available);
}

uint32_t word_of(bytes data, Py_ssize_t at)
{
    return lineman_word(data, at);
}

PyObject *unmask(bytes data, Py_ssize_t start, Py_ssize_t size, uint32_t mask)
{
    return lineman_unmask(data, start, size, mask);
}

PyObject *unmask_ascii(bytes data, Py_ssize_t start, Py_ssize_t size, uint32_t mask)
{
    return lineman_unmask_ascii(data, start, size, mask);
}

Py_ssize_t put_header(unsigned char *to, int first, Py_ssize_t size)
{
    return lineman_header(to, first, size);
}

PyObject *accept_to(PyObject *key)
{
    return lineman_accept_key(key);
}

lineman_record read_record(bytes data, Py_ssize_t start)
{
    return lineman_record_read(data, start);
}

int put_record(PyObject *out, int kind, long long number, bytes payload, Py_ssize_t size)
{
    return lineman_record_put(out, kind, number, payload, size);
}

int put_done(PyObject *out, long long number, Py_ssize_t count)
{
    return lineman_record_put_done(out, number, count);
}

int is_ascii(bytes data, Py_ssize_t start, Py_ssize_t size)
{
    return lineman_is_ascii(data, start, size);
}

/* The bytes and whether they are a text; None where there are none. */
PyObject *payload_of(PyObject *message)
{
    lineman_payload found = lineman_payload_of(message);
    if (found.size < 0) Py_RETURN_NONE;
    return Py_BuildValue("(y#i)", found.data, found.size, found.is_text);
}

int append(PyObject *to, bytes data, Py_ssize_t start, Py_ssize_t size)
{
    return lineman_append(to, data, start, size);
}

Py_ssize_t receive(int fd, unsigned char *to, Py_ssize_t size)
{
    return lineman_receive(fd, to, size);
}

Py_ssize_t send_from(int fd, bytes data, Py_ssize_t start, Py_ssize_t size)
{
    return lineman_send(fd, data, start, size);
}

Py_ssize_t send_two(int fd, bytes one, Py_ssize_t one_size, bytes two, Py_ssize_t two_size)
{
    return lineman_send_two(fd, one, one_size, two, two_size);
}

int peek(int fd)
{
    return lineman_peek(fd);
}

PyObject *accept_next(int listener)
{
    return lineman_accept(listener);
}

double seconds_now(void)
{
    return lineman_ticks_seconds(lineman_ticks_look(lineman_ticks_beginning()));
}
