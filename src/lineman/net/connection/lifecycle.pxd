from lineman.net.connection.delays cimport DelayedCalls
from lineman.net.stream.stream cimport Stream
from lineman.net.loop cimport syscalls
from lineman.net.connection.context cimport ConnectionContext
from lineman.net.connection.endpoint cimport Endpoint
from lineman.protocols.interface cimport Session

cimport cython

# As C numbers.
cdef int BLOCKED, BROKE, LINGERS, NO_LINGER, PAUSED_BY_END, PAUSED_BY_GOODBYE, PAUSED_BY_USER, UNBLOCKED, WILL_LINGER

cdef class Lifecycle(DelayedCalls):
    cdef Session _session
    cdef object _stage
    cdef object _queue
    cdef object _inbox
    cdef tuple _forced_close
    cdef tuple _goodbye
    cdef int _linger
    cdef bint _is_queued
    cdef bint _is_ended_by_us
    cdef bint _has_said_end
    cdef bint _is_unfinished
    cdef bint _owes_on_close
    cdef long long _seen_written

    cdef _begin_life(self, ConnectionContext service, Endpoint endpoint, int fd, tuple peer)
    cdef _speak(self, Session session)
    cdef _use_inbox(self, inbox)
    cdef _use_stage(self, stage)
    cpdef cork(self, bytes data)
    @cython.locals(status=int)
    cpdef flush(self)
    cpdef pause(self, int why)
    cpdef resume(self, int why)
    cdef _put_off(self)
    cdef bint _take_turn(self) except -1
    cdef _new_queue(self)
    cdef _unblocked(self)
    cdef _release_queue(self)
    cdef _say(self, data)
    cdef _check_full(self, bint is_over=*)
    cpdef callback_failed(self, error)
    cpdef note_unfinished(self, message, Py_ssize_t held)
    @cython.locals(stream=Stream)
    cdef bint _has_progressed(self) except -1
    cdef _end_ourselves(self)
    cdef _end_sending(self)
    cpdef start_close(self, int code, reason)
    cdef bint _is_waited_for(self) except -1
    cdef _work_off(self, int code, reason)
    cdef _end_later(self, event)
    cdef _end_by(self, event)
    cpdef on_broken_rule(self, error)
    cdef _say_last(self, event)
    cdef _lost(self, error)
    cdef _finish(self, bint linger)
    cdef _send_last(self)
    cdef _all_sent(self)
    cdef _lose(self, int code, reason)
    cdef _note_cause(self, int code, reason)
    cdef _tell_end(self)
    cpdef on_delivered_all(self)
