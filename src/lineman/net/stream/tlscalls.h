/* OpenSSL called without Python between. Its functions are found at run time: the package is built
   without its headers. */
#ifndef LINEMAN_TLSCALLS_H
#define LINEMAN_TLSCALLS_H

#include <Python.h>

#include <errno.h>
#include <string.h>

#define LINEMAN_TLS_FUNCTIONS 12
static void *lineman_tls_table[LINEMAN_TLS_FUNCTIONS];

static inline int lineman_tls_is_ready(void)
{
    return lineman_tls_table[0] != NULL;
}

/* Takes addresses of functions, in the order of the names in tlscalls.py. */
static inline void lineman_tls_functions(PyObject *table)
{
    memcpy(lineman_tls_table, PyBytes_AS_STRING(table), sizeof lineman_tls_table);
}

#define LINEMAN_SSL_READ ((int (*)(void *, void *, size_t, size_t *))lineman_tls_table[0])
#define LINEMAN_SSL_WRITE ((int (*)(void *, const void *, size_t, size_t *))lineman_tls_table[1])
#define LINEMAN_SSL_HAS_PENDING ((int (*)(const void *))lineman_tls_table[2])
#define LINEMAN_SSL_GET_ERROR ((int (*)(const void *, int))lineman_tls_table[3])
#define LINEMAN_SSL_CTRL ((long (*)(void *, int, long, void *))lineman_tls_table[4])
#define LINEMAN_ERR_CLEAR ((void (*)(void))lineman_tls_table[5])
#define LINEMAN_ERR_PEEK ((unsigned long (*)(void))lineman_tls_table[6])
#define LINEMAN_SSL_DO_HANDSHAKE ((int (*)(void *))lineman_tls_table[7])
#define LINEMAN_SSL_SHUTDOWN ((int (*)(void *))lineman_tls_table[8])
#define LINEMAN_SSL_SET_FD ((int (*)(void *, int))lineman_tls_table[9])
#define LINEMAN_SSL_CALLBACK ((long (*)(void *, int, void (*)(void)))lineman_tls_table[10])
#define LINEMAN_SSL_SET_SHUTDOWN ((void (*)(void *, int))lineman_tls_table[11])

/* The SSL of a _SSLSocket: the second word behind an object's head; see openssl.py. */
static inline void *lineman_tls_pointer(PyObject *object)
{
    return ((void **)(object + 1))[1];
}

/* What others have left in the list of errors would be taken for ours. */
static inline void lineman_tls_begin(void)
{
    if (LINEMAN_ERR_PEEK()) LINEMAN_ERR_CLEAR();
    errno = 0;
}

/* A KeyUpdate costs us some 9 us and the peer 27 bytes, and OpenSSL takes them without end. */
#define LINEMAN_TLS_KEY_UPDATES 32
static int lineman_tls_key_updates;  /* in this read */

/* Ends the read, as if the peer had sent close_notify: there is no other way to end it. */
static inline void lineman_tls_message(int is_ours, int version, int type, const void *data,
                                       size_t size, void *ssl, void *argument)
{
    (void)version, (void)argument;
    if (is_ours || type != 22 || !size || *(const unsigned char *)data != 24) return;
    if (++lineman_tls_key_updates > LINEMAN_TLS_KEY_UPDATES) LINEMAN_SSL_SET_SHUTDOWN(ssl, 2);
}

/* -1 for not now, 0 for the end of TLS, -2 for an error, -3 for too many KeyUpdates. */
static int lineman_tls_errno;

static inline int lineman_tls_last_errno(void)
{
    return lineman_tls_errno;
}

static inline Py_ssize_t lineman_tls_failed(void *ssl, int answer)
{
    int number = errno, error = LINEMAN_SSL_GET_ERROR(ssl, answer);
    if (error == 2 || error == 3) return -1;  /* SSL_ERROR_WANT_READ, _WRITE */
    if (error == 6) return 0;                 /* SSL_ERROR_ZERO_RETURN */
    lineman_tls_errno = number;
    return -2;
}

static inline Py_ssize_t lineman_tls_read(void *ssl, unsigned char *to, Py_ssize_t size)
{
    size_t count = 0;
    int answer;
    lineman_tls_begin();
    lineman_tls_key_updates = 0;
    answer = LINEMAN_SSL_READ(ssl, to, (size_t)size, &count);
    if (lineman_tls_key_updates > LINEMAN_TLS_KEY_UPDATES) return -3;
    return answer == 1 ? (Py_ssize_t)count : lineman_tls_failed(ssl, answer);
}

static inline Py_ssize_t lineman_tls_write(void *ssl, const unsigned char *from, Py_ssize_t start,
                                           Py_ssize_t size)
{
    size_t count = 0;
    int answer;
    Py_ssize_t failure;
    lineman_tls_begin();
    answer = LINEMAN_SSL_WRITE(ssl, from + start, (size_t)size, &count);
    if (answer == 1) return (Py_ssize_t)count;
    failure = lineman_tls_failed(ssl, answer);
    return failure == 0 ? -2 : failure;
}

static inline int lineman_tls_pending(void *ssl)
{
    return LINEMAN_SSL_HAS_PENDING(ssl);
}

/* For this connection alone, since the context is the program's: SSL_CTRL_SET_READ_AHEAD;
   SSL_CTRL_CLEAR_MODE with SSL_MODE_AUTO_RETRY, since a read would go on for as long as
   records without payload come; SSL_CTRL_SET_MSG_CALLBACK. */
static inline int lineman_tls_attach(void *ssl, int fd)
{
    LINEMAN_SSL_CTRL(ssl, 41, 1, 0);
    LINEMAN_SSL_CTRL(ssl, 78, 4, 0);
    LINEMAN_SSL_CALLBACK(ssl, 15, (void (*)(void))lineman_tls_message);
    return LINEMAN_SSL_SET_FD(ssl, fd) == 1;
}

/* 1 where it is done, 2 where it waits to write, 0 where it waits to read, 3 for an error. */
static inline int lineman_tls_handshake(void *ssl)
{
    int answer, error;
    lineman_tls_begin();
    answer = LINEMAN_SSL_DO_HANDSHAKE(ssl);
    if (answer == 1) return 1;
    error = LINEMAN_SSL_GET_ERROR(ssl, answer);
    return error == 2 ? 0 : error == 3 ? 2 : 3;
}

/* Sends close_notify, and leaves no error of it for the next call. */
static inline void lineman_tls_end(void *ssl)
{
    lineman_tls_begin();
    if (LINEMAN_SSL_SHUTDOWN(ssl) < 0) LINEMAN_ERR_CLEAR();
}

#endif
