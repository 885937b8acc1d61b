# What records.py has in C: heads without an object for them.

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>
    static inline Py_ssize_t lineman_record_size(const unsigned char *from)
    {
        return (Py_ssize_t)((uint32_t)from[1] << 24 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 8 | from[4]);
    }
    static inline long long lineman_record_number(const unsigned char *from)
    {
        uint64_t number = 0;
        for (int k = 5; k < 13; k++) number = number << 8 | from[k];
        return (long long)number;
    }
    static inline void lineman_record_head(unsigned char *to, int kind, Py_ssize_t size, long long number)
    {
        to[0] = (unsigned char)kind;
        for (int k = 0; k < 4; k++) to[1 + k] = (unsigned char)((uint64_t)size >> (24 - 8 * k));
        for (int k = 0; k < 8; k++) to[5 + k] = (unsigned char)((uint64_t)number >> (56 - 8 * k));
    }
    static inline int lineman_is_ascii(const unsigned char *from, Py_ssize_t size)
    {
        uint64_t high = 0, word;
        Py_ssize_t i = 0;
        for (; i + 8 <= size; i += 8) { memcpy(&word, from + i, 8); high |= word; }
        for (; i < size; i++) high |= (uint64_t)from[i];
        return !(high & 0x8080808080808080ULL);
    }
    """
    Py_ssize_t lineman_record_size(const unsigned char *source) noexcept nogil
    long long lineman_record_number(const unsigned char *source) noexcept nogil
    void lineman_record_head(unsigned char *to, int kind, Py_ssize_t size, long long number) noexcept nogil
    int lineman_is_ascii(const unsigned char *source, Py_ssize_t size) noexcept nogil
