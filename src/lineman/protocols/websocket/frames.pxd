# What frames.py has in C: masking, and writing a header without an object for it.

cdef extern from *:
    """
    #include <string.h>
    #include <stdint.h>
    /* XOR with the four bytes of `mask` (its lowest byte first); regions may be the same. */
    static inline void lineman_mask(unsigned char *to, const unsigned char *from, Py_ssize_t size, uint32_t mask)
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
    /* Writes the header of an unmasked frame; 2, 4 or 10 bytes. */
    static inline Py_ssize_t lineman_header(unsigned char *to, int first, Py_ssize_t size)
    {
        to[0] = (unsigned char)first;
        if (size < 126) { to[1] = (unsigned char)size; return 2; }
        if (size < 65536) {
            to[1] = 126; to[2] = (unsigned char)(size >> 8); to[3] = (unsigned char)size;
            return 4;
        }
        to[1] = 127;
        for (int k = 0; k < 8; k++) to[2 + k] = (unsigned char)((uint64_t)size >> (56 - 8 * k));
        return 10;
    }
    """
    void lineman_mask(unsigned char *to, const unsigned char *source, Py_ssize_t size, unsigned int mask) noexcept nogil
    Py_ssize_t lineman_header(unsigned char *to, int first, Py_ssize_t size) noexcept nogil
