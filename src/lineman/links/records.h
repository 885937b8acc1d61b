/* Heads of records without an object for them. */
#ifndef LINEMAN_RECORDS_H
#define LINEMAN_RECORDS_H

#include <Python.h>

#include <endian.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    int kind;
    Py_ssize_t size;
    long long number;
} lineman_record;

static inline lineman_record lineman_record_read(const unsigned char *from, Py_ssize_t start)
{
    lineman_record record;
    uint32_t size;
    uint64_t number;
    memcpy(&size, from + start + 1, 4);
    memcpy(&number, from + start + 5, 8);
    record.kind = from[start];
    record.size = (Py_ssize_t)be32toh(size);
    record.number = (long long)be64toh(number);
    return record;
}

static inline void lineman_record_head(unsigned char *to, int kind, Py_ssize_t size,
                                       long long number)
{
    uint32_t short_size = htobe32((uint32_t)size);
    uint64_t wide = htobe64((uint64_t)number);
    to[0] = (unsigned char)kind;
    memcpy(to + 1, &short_size, 4);
    memcpy(to + 5, &wide, 8);
}

/* Room for a head and `size` bytes behind what there is; NULL with MemoryError. */
static inline unsigned char *lineman_record_room(PyObject *out, Py_ssize_t size)
{
    Py_ssize_t had = PyByteArray_GET_SIZE(out);
    if (PyByteArray_Resize(out, had + 13 + size) < 0) return NULL;
    return (unsigned char *)PyByteArray_AS_STRING(out) + had;
}

static inline int lineman_record_put(PyObject *out, int kind, long long number,
                                     const unsigned char *payload, Py_ssize_t size)
{
    unsigned char *to = lineman_record_room(out, size);
    if (to == NULL) return -1;
    lineman_record_head(to, kind, size, number);
    memcpy(to + 13, payload, (size_t)size);
    return 0;
}

static inline int lineman_record_put_done(PyObject *out, long long number, Py_ssize_t count)
{
    unsigned char *to = lineman_record_room(out, 0);
    if (to == NULL) return -1;
    lineman_record_head(to, 0x83, count, number);
    return 0;
}

static inline int lineman_is_ascii(const unsigned char *from, Py_ssize_t start, Py_ssize_t size)
{
    uint64_t high = 0, word;
    Py_ssize_t i = 0;
    from += start;
    for (; i + 8 <= size; i += 8) {
        memcpy(&word, from + i, 8);
        high |= word;
    }
    for (; i < size; i++) high |= (uint64_t)from[i];
    return !(high & 0x8080808080808080ULL);
}

#endif
