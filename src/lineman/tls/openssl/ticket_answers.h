/* What OpenSSL calls for each session ticket, and OpenSSL's functions, which are found at run time. */
#ifndef LINEMAN_TICKET_ANSWERS_H
#define LINEMAN_TICKET_ANSWERS_H

#include <Python.h>

#include <string.h>
#include <time.h>

#define LINEMAN_TICKET_KEYS 3
#define LINEMAN_TICKET_FUNCTIONS 15
static void *lineman_ticket_table[LINEMAN_TICKET_FUNCTIONS], *lineman_ticket_aes;
static int lineman_ticket_index = -1;

#define LINEMAN_SET_CALLBACK ((int (*)(void *, void *))lineman_ticket_table[0])
#define LINEMAN_SSL_VERSION ((int (*)(const void *))lineman_ticket_table[1])
#define LINEMAN_RANDOM ((int (*)(unsigned char *, int))lineman_ticket_table[2])
#define LINEMAN_SET_MAC ((int (*)(void *, const void *))lineman_ticket_table[3])
typedef int (*lineman_ticket_start)(void *, const void *, void *, const void *, const void *);
#define LINEMAN_ENCRYPT ((lineman_ticket_start)lineman_ticket_table[4])
#define LINEMAN_DECRYPT ((lineman_ticket_start)lineman_ticket_table[5])
#define LINEMAN_CONTEXT_OF ((void *(*)(const void *))lineman_ticket_table[6])
#define LINEMAN_SET_DATA ((int (*)(void *, int, void *))lineman_ticket_table[7])
#define LINEMAN_GET_DATA ((void *(*)(const void *, int))lineman_ticket_table[8])
#define LINEMAN_NEW_INDEX \
    ((int (*)(int, long, void *, void *, void *, void *))lineman_ticket_table[9])
typedef int (*lineman_session_callback)(void *, void *, const unsigned char *, size_t, int,
                                        void *);
#define LINEMAN_SET_SESSION_CALL \
    ((int (*)(void *, void *, lineman_session_callback, void *))lineman_ticket_table[10])
#define LINEMAN_PEER_OF ((void *(*)(void *))lineman_ticket_table[11])
#define LINEMAN_NOT_AFTER ((const void *(*)(const void *))lineman_ticket_table[12])
#define LINEMAN_COMPARE_TIME ((int (*)(const void *, time_t *))lineman_ticket_table[13])
#define LINEMAN_FETCH_CIPHER \
    ((void *(*)(void *, const char *, const char *))lineman_ticket_table[14])

/* OpenSSL's OSSL_PARAM. */
typedef struct {
    const char *key;
    unsigned int type;
    void *data;
    size_t size, returned;
} lineman_param;

typedef struct {
    unsigned char name[16], cipher[32], mac[32];
    char digest[7];
    lineman_param params[3];
} lineman_ticket_key;

/* OpenSSL may use one for as long as any connection lives, so they are never let go of. */
typedef struct {
    PyObject *refresh;
    double good_until;
    int count;
    lineman_ticket_key keys[LINEMAN_TICKET_KEYS];
} lineman_tickets;

/* NULL with MemoryError. */
static inline lineman_tickets *lineman_tickets_begin(PyObject *refresh)
{
    lineman_tickets *all = PyMem_RawCalloc(1, sizeof *all);
    if (all == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    all->refresh = Py_NewRef(refresh);
    return all;
}

static inline void lineman_tickets_refresh_at(lineman_tickets *all, double seconds)
{
    all->good_until = seconds;
}

static inline void lineman_tickets_clear(lineman_tickets *all)
{
    all->count = 0;
}

static inline void lineman_tickets_add(lineman_tickets *all, PyObject *name, PyObject *cipher,
                                       PyObject *mac)
{
    lineman_ticket_key *key = &all->keys[all->count++];
    memcpy(key->name, PyBytes_AS_STRING(name), sizeof key->name);
    memcpy(key->cipher, PyBytes_AS_STRING(cipher), sizeof key->cipher);
    memcpy(key->mac, PyBytes_AS_STRING(mac), sizeof key->mac);
    memcpy(key->digest, "SHA256", sizeof key->digest);
    key->params[0] = (lineman_param){"key", 5, key->mac, sizeof key->mac, 0};  /* octets */
    key->params[1] = (lineman_param){"digest", 4, key->digest, 6, 0};          /* text */
    key->params[2] = (lineman_param){NULL, 0, NULL, 0, 0};
}

static inline void lineman_tickets_refresh(lineman_tickets *all)
{
    struct timespec now;
    PyObject *answer;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (now.tv_sec + now.tv_nsec / 1e9 < all->good_until) return;
    answer = PyObject_CallNoArgs(all->refresh);
    if (answer == NULL) {
        all->count = 0;
        PyErr_WriteUnraisable(all->refresh);
    }
    Py_XDECREF(answer);
}

static inline int lineman_tickets_start(lineman_tickets *all, void *ssl, unsigned char *name,
                                        unsigned char *iv, void *cipher, void *mac, int makes)
{
    int number = 0;
    lineman_ticket_key *key;
    lineman_tickets_refresh(all);
    while (!makes && number < all->count && memcmp(all->keys[number].name, name, 16)) number++;
    if (number >= all->count) return 0;
    key = &all->keys[number];
    if (makes) {
        memcpy(name, key->name, 16);
        if (LINEMAN_RANDOM(iv, 16) != 1) return -1;
    }
    if (!LINEMAN_SET_MAC(mac, key->params)) return 0;
    if (!(makes ? LINEMAN_ENCRYPT : LINEMAN_DECRYPT)(cipher, lineman_ticket_aes, NULL, key->cipher,
                                                     iv))
        return 0;
    /* A client of TLS 1.3 uses each ticket once (RFC 8446, appendix C.4), so it needs another. */
    return !makes && (number > 0 || LINEMAN_SSL_VERSION(ssl) >= 0x0304) ? 2 : 1;
}

static inline int lineman_on_ticket(void *ssl, unsigned char *name, unsigned char *iv,
                                    void *cipher, void *mac, int makes)
{
    lineman_tickets *all = LINEMAN_GET_DATA(LINEMAN_CONTEXT_OF(ssl), lineman_ticket_index);
    PyGILState_STATE gil;
    int answer;
    if (all == NULL) return 0;
    gil = PyGILState_Ensure();
    answer = lineman_tickets_start(all, ssl, name, iv, cipher, mac, makes);
    PyGILState_Release(gil);
    return answer;
}

/* Without the interpreter: it looks at what OpenSSL has alone. See ticket_answers.py. */
static inline int lineman_on_session(void *ssl, void *session, const unsigned char *name,
                                     size_t size, int status, void *unused)
{
    void *peer = session == NULL ? NULL : LINEMAN_PEER_OF(session);
    (void)ssl, (void)name, (void)size, (void)unused;
    if (status < 5) return 2;
    if (peer != NULL && LINEMAN_COMPARE_TIME(LINEMAN_NOT_AFTER(peer), NULL) <= 0) return 2;
    return status - 2;
}

/* Takes the addresses of functions, in the order of the names in ticket_answers.py, once. */
static inline int lineman_tickets_use(PyObject *table)
{
    if (lineman_ticket_index < 0) {
        memcpy(lineman_ticket_table, PyBytes_AS_STRING(table), sizeof lineman_ticket_table);
        /* Fetched once: through EVP_aes_256_cbc() each use would look it up again. */
        lineman_ticket_aes = LINEMAN_FETCH_CIPHER(NULL, "AES-256-CBC", NULL);
        if (lineman_ticket_aes != NULL)
            lineman_ticket_index = LINEMAN_NEW_INDEX(1, 0, NULL, NULL, NULL, NULL);  /* SSL_CTX */
    }
    return lineman_ticket_index >= 0;
}

static inline int lineman_tickets_install(lineman_tickets *all, size_t pointer, PyObject *table)
{
    void *context = (void *)pointer;
    return lineman_tickets_use(table) && LINEMAN_SET_DATA(context, lineman_ticket_index, all)
           && LINEMAN_SET_CALLBACK(context, (void *)lineman_on_ticket)
           && LINEMAN_SET_SESSION_CALL(context, NULL, lineman_on_session, NULL);
}

#endif
