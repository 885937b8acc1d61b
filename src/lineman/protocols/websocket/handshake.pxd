cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize

ctypedef const unsigned char *p_const_uchar
ctypedef unsigned char *p_uchar

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>
    #define LINEMAN_ROL(word, by) ((word) << (by) | (word) >> (32 - (by)))
    /* One block of SHA-1 (RFC 3174, section 6.1). */
    static inline void lineman_sha1_block(uint32_t state[5], const unsigned char *block)
    {
        uint32_t w[80], a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
        for (int t = 0; t < 16; t++)
            w[t] = (uint32_t)block[4 * t] << 24 | (uint32_t)block[4 * t + 1] << 16
                 | (uint32_t)block[4 * t + 2] << 8 | block[4 * t + 3];
        for (int t = 16; t < 80; t++)
            w[t] = LINEMAN_ROL(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
        for (int t = 0; t < 80; t++) {
            uint32_t f = t < 20 ? ((b & c) | (~b & d)) + 0x5A827999u
                       : t < 40 ? (b ^ c ^ d) + 0x6ED9EBA1u
                       : t < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8F1BBCDCu
                       : (b ^ c ^ d) + 0xCA62C1D6u;
            uint32_t next = LINEMAN_ROL(a, 5) + f + e + w[t];
            e = d; d = c; c = LINEMAN_ROL(b, 30); b = a; a = next;
        }
        state[0] += a; state[1] += b; state[2] += c; state[3] += d; state[4] += e;
    }
    /* SHA-1 of a key and the GUID, 24 and 36 bytes, in base64: 28 characters. */
    static inline void lineman_accept_key(unsigned char *to, const unsigned char *key, const unsigned char *guid)
    {
        static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        uint32_t state[5] = {0x67452301u, 0xEFCDAB89u, 0x98BADCFEu, 0x10325476u, 0xC3D2E1F0u};
        unsigned char blocks[128] = {0}, digest[21] = {0};
        memcpy(blocks, key, 24);
        memcpy(blocks + 24, guid, 36);
        blocks[60] = 0x80;
        blocks[126] = 480 >> 8;  /* bits */
        blocks[127] = 480 & 0xFF;
        lineman_sha1_block(state, blocks);
        lineman_sha1_block(state, blocks + 64);
        for (int k = 0; k < 20; k++) digest[k] = (unsigned char)(state[k / 4] >> (24 - 8 * (k & 3)));
        for (int k = 0; k < 7; k++) {
            uint32_t three = (uint32_t)digest[3 * k] << 16 | (uint32_t)digest[3 * k + 1] << 8 | digest[3 * k + 2];
            for (int n = 0; n < 4; n++) *to++ = (unsigned char)digits[three >> (18 - 6 * n) & 63];
        }
        to[-1] = '=';
    }
    """
    void lineman_accept_key(unsigned char *to, const unsigned char *key, const unsigned char *guid) noexcept nogil

cdef bytes _GUID

@cython.locals(raw=bytes, answer=bytes)
cdef bytes _accept(key)
cpdef response(key, subprotocol=*, headers=*, extensions=*)
