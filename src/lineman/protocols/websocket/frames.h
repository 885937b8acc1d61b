/* Masking, and reading and writing a frame's header, without a Python object for it. */
#ifndef LINEMAN_FRAMES_H
#define LINEMAN_FRAMES_H

#include <Python.h>

#include <stdint.h>
#include <string.h>

/* XOR with the four bytes of `mask` (its lowest byte first); regions may be the same. */
static inline void lineman_mask(unsigned char *to, const unsigned char *from, Py_ssize_t size,
                                uint32_t mask)
{
    unsigned char key[8];
    uint64_t wide;
    Py_ssize_t i = 0;
    for (int k = 0; k < 8; k++) key[k] = (unsigned char)(mask >> (8 * (k & 3)));
    memcpy(&wide, key, 8);
    for (; i + 8 <= size; i += 8) {
        uint64_t word;
        memcpy(&word, from + i, 8);
        word ^= wide;
        memcpy(to + i, &word, 8);
    }
    for (; i < size; i++) to[i] = from[i] ^ key[i & 3];
}

/* The same, as long as what comes out is ASCII; whether all of it was. */
static inline int lineman_mask_ascii(unsigned char *to, const unsigned char *from,
                                     Py_ssize_t size, uint32_t mask)
{
    while (size > 0) {
        Py_ssize_t part = size < 64 ? size : 64;
        unsigned char high = 0;
        lineman_mask(to, from, part, mask);
        for (Py_ssize_t i = 0; i < part; i++) high |= to[i];
        if (high & 0x80) return 0;
        to += part;
        from += part;
        size -= part;
    }
    return 1;
}

/* `size` bytes from `start` on with the mask taken off; NULL with MemoryError. */
static inline PyObject *lineman_unmask(const unsigned char *from, Py_ssize_t start,
                                       Py_ssize_t size, uint32_t mask)
{
    PyObject *clear = PyBytes_FromStringAndSize(NULL, size);
    if (clear != NULL)
        lineman_mask((unsigned char *)PyBytes_AS_STRING(clear), from + start, size, mask);
    return clear;
}

/* The same as a text; None where it is not ASCII. */
static inline PyObject *lineman_unmask_ascii(const unsigned char *from, Py_ssize_t start,
                                             Py_ssize_t size, uint32_t mask)
{
    PyObject *text = PyUnicode_New(size, 127);
    if (text == NULL) return NULL;
    if (lineman_mask_ascii(PyUnicode_1BYTE_DATA(text), from + start, size, mask)) return text;
    Py_DECREF(text);
    Py_RETURN_NONE;
}

static inline void lineman_mask_into(unsigned char *to, Py_ssize_t at, const unsigned char *from,
                                     Py_ssize_t size, uint32_t mask)
{
    lineman_mask(to + at, from, size, mask);
}

/* Four bytes, the first lowest. */
static inline uint32_t lineman_word(const unsigned char *from, Py_ssize_t at)
{
    from += at;
    return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16
           | (uint32_t)from[3] << 24;
}

typedef struct {
    Py_ssize_t head, payload;
} lineman_sizes;

static inline lineman_sizes lineman_ordinary(const unsigned char *from, Py_ssize_t have)
{
    lineman_sizes none = {0, 0}, sizes = {6, 0};
    if (have < 6 || (from[0] != 0x81 && from[0] != 0x82) || !(from[1] & 0x80)) return none;
    sizes.payload = from[1] & 0x7F;
    if (sizes.payload == 126) {
        sizes.head = 8;
        if (have < 8) return none;
        sizes.payload = (Py_ssize_t)from[2] << 8 | from[3];
        if (sizes.payload < 126) return none;
    } else if (sizes.payload == 127) {
        sizes.head = 14;
        if (have < 14 || from[2] || from[3] || from[4] || from[5]) return none;
        sizes.payload = (Py_ssize_t)((uint32_t)from[6] << 24 | (uint32_t)from[7] << 16
                                     | (uint32_t)from[8] << 8 | from[9]);
        if (sizes.payload < 65536) return none;
    }
    return sizes.payload > have - sizes.head ? none : sizes;
}

/* Writes the header of an unmasked frame; 2, 4 or 10 bytes. */
static inline Py_ssize_t lineman_header(unsigned char *to, int first, Py_ssize_t size)
{
    to[0] = (unsigned char)first;
    if (size < 126) {
        to[1] = (unsigned char)size;
        return 2;
    }
    if (size < 65536) {
        to[1] = 126;
        to[2] = (unsigned char)(size >> 8);
        to[3] = (unsigned char)size;
        return 4;
    }
    to[1] = 127;
    for (int k = 0; k < 8; k++) to[2 + k] = (unsigned char)((uint64_t)size >> (56 - 8 * k));
    return 10;
}

#endif
