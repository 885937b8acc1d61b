/* The Sec-WebSocket-Accept to a key (RFC 6455, section 4.2.2, item 5.4).

   OpenSSL spends more on making and finding a hash object than on these 60 bytes. */
#ifndef LINEMAN_ACCEPTKEY_H
#define LINEMAN_ACCEPTKEY_H

#include <Python.h>

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

/* The SHA-1 of whole blocks, whose padding is still to be written behind `size` bytes. */
static inline void lineman_sha1(unsigned char digest[20], unsigned char *blocks, size_t room,
                                size_t size)
{
    uint32_t state[5] = {0x67452301u, 0xEFCDAB89u, 0x98BADCFEu, 0x10325476u, 0xC3D2E1F0u};
    uint64_t bits = (uint64_t)size * 8;
    blocks[size] = 0x80;
    memset(blocks + size + 1, 0, room - size - 1);
    for (int k = 1; k <= 8; k++, bits >>= 8) blocks[room - (size_t)k] = (unsigned char)bits;
    for (size_t at = 0; at < room; at += 64) lineman_sha1_block(state, blocks + at);
    for (int k = 0; k < 20; k++) digest[k] = (unsigned char)(state[k / 4] >> (24 - 8 * (k & 3)));
}

/* 20 bytes in base64: 28 characters. */
static inline void lineman_base64(unsigned char *to, const unsigned char *from)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned char bytes[21] = {0};
    memcpy(bytes, from, 20);
    for (int k = 0; k < 21; k += 3) {
        uint32_t three = (uint32_t)bytes[k] << 16 | (uint32_t)bytes[k + 1] << 8 | bytes[k + 2];
        for (int n = 0; n < 4; n++) *to++ = (unsigned char)digits[three >> (18 - 6 * n) & 63];
    }
    to[-1] = '=';
}

static inline PyObject *lineman_accept_key(PyObject *key)
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    size_t had = (size_t)PyBytes_GET_SIZE(key), size = had + 36, room = (size + 8) / 64 * 64 + 64;
    unsigned char usual[128], digest[20], *blocks = usual;
    PyObject *answer;
    if (room > sizeof usual && (blocks = PyMem_Malloc(room)) == NULL) return PyErr_NoMemory();
    memcpy(blocks, PyBytes_AS_STRING(key), had);
    memcpy(blocks + had, guid, 36);
    lineman_sha1(digest, blocks, room, size);
    if (blocks != usual) PyMem_Free(blocks);
    answer = PyBytes_FromStringAndSize(NULL, 28);
    if (answer != NULL) lineman_base64((unsigned char *)PyBytes_AS_STRING(answer), digest);
    return answer;
}

#endif
