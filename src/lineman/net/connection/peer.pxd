from lineman.net.connection.end_causes cimport close_cause, failure_cause
from lineman.net.loop.poller cimport Handler, Poller
from lineman.net.connection.callbacks cimport Callbacks
from lineman.net.connection.context cimport ConnectionContext
from lineman.net.connection.endpoint cimport Endpoint
from lineman.net.stream.stream cimport Stream
from lineman.protocols.websocket.close cimport words

cdef class Peer(Handler):
    cdef readonly ConnectionContext service
    cdef readonly Endpoint endpoint
    cdef readonly Poller poller
    cdef Callbacks _callbacks
    cdef object _limits
    cdef Stream _stream
    cdef object _state
    cdef readonly long long id
    cdef readonly tuple peer
    cdef public object proxy_header
    cdef public object remote_ip
    cdef public int remote_port
    cdef public object subprotocol
    cdef readonly long long messages_read
    cdef readonly long long messages_written
    cdef readonly long long messages_dropped
    cdef readonly double opened_at
    cdef readonly int close_code
    cdef readonly object close_reason
    cdef object _data
    cdef object _local
    cdef object _request
    cdef object _tls_info
    cdef double _last_received
    cdef double _quiet_since
    cdef long long _quiet_messages

    cdef _begin_facts(self, ConnectionContext service, Endpoint endpoint, int fd, tuple peer)
    cdef _use_callbacks(self, Callbacks callbacks)
    cdef _use_limits(self, limits)
    cdef _enter(self, state)
    cdef _heard(self)
    cdef _count_read(self)
    cdef _count_written(self)
    cdef _count_dropped(self, int count)
    cdef _note_silence(self)
    cdef _set_cause(self, int code, reason)
    cdef _enlist(self)
    cdef _unlist(self, bint is_ours, bint is_broken_rule)
