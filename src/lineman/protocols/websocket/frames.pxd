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
    /* The same, as long as what comes out is ASCII; whether all of it was. */
    static inline int lineman_mask_ascii(unsigned char *to, const unsigned char *from, Py_ssize_t size, uint32_t mask)
    {
        while (size > 0) {
            Py_ssize_t part = size < 64 ? size : 64;
            unsigned char high = 0;
            lineman_mask(to, from, part, mask);
            for (Py_ssize_t i = 0; i < part; i++) high |= to[i];
            if (high & 0x80) return 0;
            to += part; from += part; size -= part;
        }
        return 1;
    }
    /* Four bytes, the first lowest. */
    static inline uint32_t lineman_word(const unsigned char *from)
    {
        return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
    }
    /* The size of the header, and of the payload, of a frame of the ordinary kind: all of its bytes
       are here, it is a whole message, uncompressed, masked, its length in the shortest form and
       below 4 GiB. 0 for any other, right or wrong. */
    static inline Py_ssize_t lineman_whole(const unsigned char *from, Py_ssize_t have, Py_ssize_t *payload)
    {
        Py_ssize_t head = 6, size;
        if (have < head || (from[0] != 0x81 && from[0] != 0x82) || !(from[1] & 0x80)) return 0;
        size = from[1] & 0x7F;
        if (size == 126) {
            head = 8;
            if (have < head) return 0;
            size = (Py_ssize_t)from[2] << 8 | from[3];
            if (size < 126) return 0;
        } else if (size == 127) {
            head = 14;
            if (have < head || from[2] || from[3] || from[4] || from[5]) return 0;
            size = (Py_ssize_t)((uint32_t)from[6] << 24 | (uint32_t)from[7] << 16 | (uint32_t)from[8] << 8 | from[9]);
            if (size < 65536) return 0;
        }
        if (size > have - head) return 0;
        *payload = size;
        return head;
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
    int lineman_mask_ascii(unsigned char *to, const unsigned char *source, Py_ssize_t size, unsigned int mask) noexcept nogil
    unsigned int lineman_word(const unsigned char *source) noexcept nogil
    Py_ssize_t lineman_whole(const unsigned char *source, Py_ssize_t have, Py_ssize_t *payload) noexcept nogil
    Py_ssize_t lineman_header(unsigned char *to, int first, Py_ssize_t size) noexcept nogil
