# What records.py has in C: heads without an object for them.

cdef extern from *:
    """
    #include <endian.h>
    #include <stdint.h>
    #include <string.h>
    static inline Py_ssize_t lineman_record_size(const unsigned char *from)
    {
        uint32_t size;
        memcpy(&size, from + 1, 4);
        return (Py_ssize_t)be32toh(size);
    }
    static inline long long lineman_record_number(const unsigned char *from)
    {
        uint64_t number;
        memcpy(&number, from + 5, 8);
        return (long long)be64toh(number);
    }
    static inline void lineman_record_head(unsigned char *to, int kind, Py_ssize_t size, long long number)
    {
        uint32_t short_size = htobe32((uint32_t)size);
        uint64_t wide = htobe64((uint64_t)number);
        to[0] = (unsigned char)kind;
        memcpy(to + 1, &short_size, 4);
        memcpy(to + 5, &wide, 8);
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
