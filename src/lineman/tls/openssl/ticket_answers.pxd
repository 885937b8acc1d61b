# The functions of ticket_answers.py as C has them.

from cpython.bytes cimport PyBytes_GET_SIZE

cdef extern from "lineman/tls/openssl/ticket_answers.h":
    int NAMED "LINEMAN_TICKET_FUNCTIONS"
    int ROOM "LINEMAN_TICKET_KEYS"
    ctypedef struct TicketAnswers "lineman_tickets":
        int count
    TicketAnswers *begin "lineman_tickets_begin"(object refresh) except NULL
    void refresh_at "lineman_tickets_refresh_at"(TicketAnswers *answers, double seconds) noexcept
    void forget_keys "lineman_tickets_clear"(TicketAnswers *answers) noexcept
    void lineman_tickets_add(TicketAnswers *answers, bytes name, bytes cipher, bytes mac) noexcept
    bint lineman_tickets_install(TicketAnswers *answers, size_t context, bytes table) noexcept

cdef inline int add_key(TicketAnswers *answers, bytes name, bytes cipher, bytes mac) except -1:
    assert answers.count < ROOM and len(name) == 16 and len(cipher) == len(mac) == 32
    lineman_tickets_add(answers, name, cipher, mac)
    return 0

cdef inline bint install(TicketAnswers *answers, size_t context, bytes table) except? -1:
    assert PyBytes_GET_SIZE(table) == NAMED * sizeof(void *)
    return lineman_tickets_install(answers, context, table)
