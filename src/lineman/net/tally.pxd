cimport cython

from lineman.net.connection cimport Connection

cdef class Tally:
    cdef public long long ended
    cdef public long long messages_read
    cdef public long long messages_written
    cdef public long long bytes_read
    cdef public long long bytes_written
    cdef readonly object closes
    cdef readonly object failures
    cdef readonly object refusals

    cpdef add(self, Connection connection, ending)
    @cython.locals(
        connection=Connection,
        messages_read=cython.longlong,
        messages_written=cython.longlong,
        bytes_read=cython.longlong,
        bytes_written=cython.longlong,
    )
    cpdef tuple carried(self, connections)
