/* Bytes where they lie, without a Python object for them. */
#ifndef LINEMAN_BUFFERS_H
#define LINEMAN_BUFFERS_H

#include <Python.h>

#include <stdint.h>
#include <string.h>

/* The bytes of a message; `size` is -1 for what is neither exactly str nor exactly bytes, and for a
   text that UTF-8 has no bytes for. */
typedef struct {
    const unsigned char *data;
    Py_ssize_t size;
    int is_text;
} lineman_payload;

static inline lineman_payload lineman_payload_of(PyObject *message)
{
    lineman_payload found = {NULL, -1, 0};
    if (PyUnicode_CheckExact(message)) {
        /* No copy where it is ASCII; no error where it has no bytes. */
        found.data = (const unsigned char *)PyUnicode_AsUTF8AndSize(message, &found.size);
        found.is_text = 1;
        if (found.data == NULL) {
            PyErr_Clear();
            found.size = -1;
        }
    } else if (PyBytes_CheckExact(message)) {
        found.data = (const unsigned char *)PyBytes_AS_STRING(message);
        found.size = PyBytes_GET_SIZE(message);
    }
    return found;
}

static inline unsigned char *lineman_room(PyObject *room)
{
    return (unsigned char *)PyByteArray_AS_STRING(room);
}

static inline unsigned char *lineman_room_from(unsigned char *room, Py_ssize_t start)
{
    return room + start;
}

static inline const unsigned char *lineman_data(PyObject *data)
{
    return (const unsigned char *)PyBytes_AS_STRING(data);
}

static inline const unsigned char *lineman_beyond(const unsigned char *data, Py_ssize_t start)
{
    return data + start;
}

static inline void lineman_copy(unsigned char *to, Py_ssize_t at, const unsigned char *data,
                                Py_ssize_t start, Py_ssize_t size)
{
    memcpy(to + at, data + start, (size_t)size);
}

/* Raises MemoryError and returns -1. */
static inline int lineman_append(PyObject *to, const unsigned char *data, Py_ssize_t start,
                                 Py_ssize_t size)
{
    Py_ssize_t had = PyByteArray_GET_SIZE(to);
    if (PyByteArray_Resize(to, had + size) < 0) return -1;
    memcpy(PyByteArray_AS_STRING(to) + had, data + start, (size_t)size);
    return 0;
}

/* Where the byte stands first, from `start` on and before `stop`; -1 where it does not. */
static inline Py_ssize_t lineman_find(const unsigned char *data, Py_ssize_t start, Py_ssize_t stop,
                                      int byte)
{
    const unsigned char *at;
    if (start >= stop) return -1;
    at = memchr(data + start, byte, (size_t)(stop - start));
    return at == NULL ? -1 : at - data;
}

/* UTF-8 as a text; None where it is none. */
static inline PyObject *lineman_text_at(const unsigned char *data, Py_ssize_t start,
                                        Py_ssize_t size)
{
    PyObject *text = PyUnicode_DecodeUTF8((const char *)data + start, size, NULL);
    if (text != NULL || !PyErr_ExceptionMatches(PyExc_UnicodeDecodeError)) return text;
    PyErr_Clear();
    Py_RETURN_NONE;
}

static inline PyObject *lineman_bytes_at(const unsigned char *data, Py_ssize_t start,
                                         Py_ssize_t size)
{
    return PyBytes_FromStringAndSize((const char *)data + start, size);
}

/* Four bytes, the highest first. */
static inline Py_ssize_t lineman_number(const unsigned char *data, Py_ssize_t start)
{
    data += start;
    return (Py_ssize_t)((uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8
                        | data[3]);
}

static inline void lineman_put_number(unsigned char *room, Py_ssize_t number)
{
    for (int k = 0; k < 4; k++) room[k] = (unsigned char)((uint32_t)number >> (24 - 8 * k));
}

/* A message's store: memory that becomes a `bytes` when nobody has seen it before. */
static inline PyObject *lineman_store_new(Py_ssize_t size)
{
    return PyBytes_FromStringAndSize(NULL, size);
}

static inline unsigned char *lineman_store_room(PyObject *store)
{
    return (unsigned char *)PyBytes_AS_STRING(store);
}

static inline void lineman_store_fill(PyObject *to, PyObject *from, Py_ssize_t size)
{
    memcpy(PyBytes_AS_STRING(to), PyBytes_AS_STRING(from), (size_t)size);
}

static inline PyObject *lineman_store_take(PyObject *store, Py_ssize_t size)
{
    if (PyBytes_GET_SIZE(store) != size)
        return PyBytes_FromStringAndSize(PyBytes_AS_STRING(store), size);
    return Py_NewRef(store);
}

static inline PyObject *lineman_view(const unsigned char *data, Py_ssize_t start, Py_ssize_t size)
{
    return PyMemoryView_FromMemory((char *)data + start, size, PyBUF_READ);
}

#endif
