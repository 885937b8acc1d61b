from lineman.tls.openssl cimport ticket_answers

cdef class TicketCall:
    cdef ticket_answers.TicketAnswers *_answers

    cpdef bint install(self, size_t context) except? -1
    cpdef refresh_at(self, double seconds)
