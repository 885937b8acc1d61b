cimport cython

from lineman.net.connection.intake cimport Intake
from lineman.net.loop cimport syscalls
from lineman.protocols.websocket.close cimport encode, words

cdef class Lifecycle(Intake):
    cdef readonly long long id
    cdef readonly tuple peer
    cdef public object proxy_header
    cdef public object remote_ip
    cdef public int remote_port
    cdef object _request
    cdef public object subprotocol
    cdef public long long messages_written
    cdef public long long messages_dropped
    cdef readonly double opened_at
    cdef public int close_code
    cdef public object close_reason
    cdef object _local
    cdef object _data
    cdef object _compressor
    cdef object _drain_waiters
    cdef bint _is_full
    cdef object _outbox
    cdef int _linger
    cdef bint _owes_on_close
    cdef double _pinged_at

    cdef _enter(self, state)
    cdef _look_after(self, double seconds)
    cdef _look_anew(self, double seconds)
    cpdef double on_deadline(self, double now) except? -2
    cpdef open(self, rest, agreement)
    cpdef enlist(self)
    cdef _finish(self, bint linger)
    cdef _all_sent(self)
    cdef _set_cause(self, int code, reason)
    cpdef _lose(self, int code, reason)
    cdef _say_last(self, bytes payload)
    cpdef release_held(self)
    cpdef end_drain(self)
    cdef double _check_alive(self, double now) except? -2
