# What OpenSSL calls for each ticket, and OpenSSL's functions, which are found at run time.

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING

cdef extern from *:
    """
    #include <string.h>
    #include <time.h>
    #define LINEMAN_TICKET_KEYS 3
    #define LINEMAN_TICKET_FUNCTIONS 14
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
    #define LINEMAN_NEW_INDEX ((int (*)(int, long, void *, void *, void *, void *))lineman_ticket_table[9])
    typedef int (*lineman_session_callback)(void *, void *, const unsigned char *, size_t, int, void *);
    #define LINEMAN_SET_SESSION_CALL ((int (*)(void *, void *, lineman_session_callback, void *))lineman_ticket_table[10])
    #define LINEMAN_PEER_OF ((void *(*)(void *))lineman_ticket_table[11])
    #define LINEMAN_NOT_AFTER ((const void *(*)(const void *))lineman_ticket_table[12])
    #define LINEMAN_COMPARE_TIME ((int (*)(const void *, time_t *))lineman_ticket_table[13])

    typedef struct { const char *key; unsigned int type; void *data; size_t size, returned; } lineman_param;
    typedef struct { unsigned char name[16], cipher[32], mac[32]; lineman_param params[3]; } lineman_ticket_key;
    typedef struct { PyObject *refresh; double *good_until; int count; lineman_ticket_key keys[LINEMAN_TICKET_KEYS]; } lineman_tickets;

    static int lineman_tickets_are_ready(void) { return lineman_ticket_index >= 0; }
    static void lineman_tickets_functions(const char *table, void *aes)
    {
        memcpy(lineman_ticket_table, table, sizeof lineman_ticket_table);
        lineman_ticket_aes = aes;
        lineman_ticket_index = LINEMAN_NEW_INDEX(1, 0, NULL, NULL, NULL, NULL);  /* of SSL_CTX */
    }
    static void lineman_tickets_begin(lineman_tickets *all, PyObject *refresh, double *good_until)
    {
        all->refresh = refresh;
        all->good_until = good_until;
        all->count = 0;
    }
    static void lineman_tickets_set(lineman_tickets *all, int number, const char *name, const char *cipher, const char *mac)
    {
        lineman_ticket_key *key = &all->keys[number];
        memcpy(key->name, name, 16);
        memcpy(key->cipher, cipher, 32);
        memcpy(key->mac, mac, 32);
        key->params[0] = (lineman_param){"key", 5, key->mac, 32, 0};  /* an octet string */
        key->params[1] = (lineman_param){"digest", 4, "SHA256", 6, 0};  /* text */
        key->params[2] = (lineman_param){NULL, 0, NULL, 0, 0};
        all->count = number + 1;
    }
    static void lineman_tickets_refresh(lineman_tickets *all)
    {
        struct timespec now;
        PyObject *answer;
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec + now.tv_nsec / 1e9 < *all->good_until) return;
        answer = PyObject_CallNoArgs(all->refresh);
        if (answer == NULL) {
            all->count = 0;
            PyErr_WriteUnraisable(all->refresh);
        }
        Py_XDECREF(answer);
    }
    static int lineman_tickets_start(lineman_tickets *all, void *ssl, unsigned char *name, unsigned char *iv, void *cipher, void *mac, int makes)
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
        if (!(makes ? LINEMAN_ENCRYPT : LINEMAN_DECRYPT)(cipher, lineman_ticket_aes, NULL, key->cipher, iv)) return 0;
        /* A client of TLS 1.3 uses each ticket once (RFC 8446, appendix C.4), so it needs another. */
        return !makes && (number > 0 || LINEMAN_SSL_VERSION(ssl) >= 0x0304) ? 2 : 1;
    }
    static int lineman_on_ticket(void *ssl, unsigned char *name, unsigned char *iv, void *cipher, void *mac, int makes)
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
    /* Without the interpreter: it looks at what OpenSSL has alone. See `_on_session`. */
    static int lineman_on_session(void *ssl, void *session, const unsigned char *name, size_t size, int status, void *unused)
    {
        void *peer = session == NULL ? NULL : LINEMAN_PEER_OF(session);
        return status < 5 || (peer != NULL && LINEMAN_COMPARE_TIME(LINEMAN_NOT_AFTER(peer), NULL) <= 0) ? 2 : status - 2;
    }
    static int lineman_tickets_install(void *context, lineman_tickets *all)
    {
        return lineman_ticket_index >= 0 && LINEMAN_SET_DATA(context, lineman_ticket_index, all)
            && LINEMAN_SET_CALLBACK(context, (void *)lineman_on_ticket)
            && LINEMAN_SET_SESSION_CALL(context, NULL, lineman_on_session, NULL);
    }
    """
    ctypedef struct lineman_tickets:
        pass
    int lineman_tickets_are_ready() noexcept
    void lineman_tickets_functions(const char *table, void *aes) noexcept
    void lineman_tickets_begin(lineman_tickets *all, object refresh, double *good_until) noexcept
    void lineman_tickets_set(lineman_tickets *all, int number, const char *name, const char *cipher, const char *mac) noexcept
    int lineman_tickets_install(void *context, lineman_tickets *all) noexcept

ctypedef void *p_void
ctypedef const char *p_char

cdef class TicketCall:
    cdef public double good_until
    cdef object _refresh
    cdef dict _keys
    cdef bytes _newest
    cdef object _callbacks
    cdef lineman_tickets _native

    @cython.locals(pointer=p_void)
    cpdef bint install(self, context) except? -1
