from lineman.net.connection.callbacks cimport Callbacks
from lineman.net.connection.counters cimport Tally
from lineman.net.loop.wheel cimport Wheel

cdef class ConnectionContext:
    cdef dict __dict__  # for what no connection asks for
    cdef object __weakref__
    cdef readonly Callbacks callbacks
    cdef readonly object limits
    cdef readonly object tls_context
    cdef public object challenges
    cdef readonly tuple subprotocols
    cdef public object trusted_proxies
    cdef readonly object compression
    cdef readonly bint compresses
    cdef readonly object loop
    cdef readonly object poller
    cdef readonly object slow_readers
    cdef readonly Wheel wheel
    cdef readonly dict connections
    cdef readonly Tally tally
    cdef readonly dict newcomers
    cdef readonly object admission
    cdef readonly bint is_guarded
    cdef readonly bint is_metered
    cdef readonly object unfinished
    cdef public long long accepted
    cdef public long long opened
    cdef public long long exceptions
    cdef public long long send_failures
    cdef public bint is_stopping
    cdef long long _last_id

    cpdef long long next_id(self)
    cpdef new_tls(self, int fd)
