cdef class Tally:
    cdef readonly long long ended
    cdef public long long messages_read
    cdef public long long messages_written
    cdef public long long bytes_read
    cdef public long long bytes_written
    cdef readonly object closes
    cdef readonly object failures
    cdef readonly object refusals
    cdef readonly object hits

    cpdef add(self, long long messages_read, long long messages_written, long long bytes_read, long long bytes_written)
