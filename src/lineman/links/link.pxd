cimport cython

from lineman.base cimport buffers
from lineman.links cimport records
from lineman.links.unconfirmed cimport Unconfirmed

cdef int _LOOK, BINARY, DONE, LENGTH, RECORD, TEXT
cdef Py_ssize_t FLUSH_SIZE, HEAD_SIZE, MAX_FRAME, SIZE_OF_NOTHING

cdef class RecordReceiver:
    cdef on_record(self, Link link, long long number, int kind, const unsigned char *data, Py_ssize_t start, Py_ssize_t end)
    cdef on_done(self, Link link, long long number, Py_ssize_t count)
    cpdef on_pause(self)

cdef class Link:
    cdef object __weakref__
    cdef object _wire
    cdef object _on_batch
    cdef object _on_end
    cdef public RecordReceiver receiver
    cdef bint _yields
    cdef object _max_frame
    cdef Py_ssize_t _max_unsent
    cdef object _loop
    cdef object _log
    cdef object _transport
    cdef bytearray _received
    cdef bytearray _out
    cdef list _batch
    cdef Py_ssize_t _batched
    cdef bytearray _dones
    cdef long long _done_number
    cdef Py_ssize_t _done_count
    cdef bint _is_due
    cdef readonly list _drained
    cdef object _time
    cdef bint _goes_on
    cdef public bint is_up
    cdef public bint is_clogged
    cdef public bint is_full
    cdef public object peer
    cdef public object asked_at
    cdef readonly long long sent
    cdef readonly long long handled
    cdef public long long tell_at
    cdef public object on_handled
    cdef public Unconfirmed kept

    cpdef post(self, message, Py_ssize_t size=*)
    cpdef check_room(self)
    @cython.locals(known=buffers.Payload, payload=bytes)
    cpdef send(self, long long number, message)
    cdef _put(self, int kind, long long number, const unsigned char *payload, Py_ssize_t size)
    cpdef acknowledge(self, long long number)
    cdef _add_done(self)
    cdef _schedule(self)
    cdef _pack(self)
    cpdef flush(self)
    @cython.locals(rest=Py_ssize_t)
    cpdef data_received(self, bytes data)
    @cython.locals(start=Py_ssize_t, end=Py_ssize_t, count=int)
    cdef Py_ssize_t _take(self, const unsigned char *data, Py_ssize_t size) except -1
    @cython.locals(receiver=RecordReceiver, payload=Py_ssize_t, head=records.Record, end=Py_ssize_t)
    cdef Py_ssize_t _take_record(self, const unsigned char *data, Py_ssize_t start, Py_ssize_t size) except -1
    @cython.locals(length=Py_ssize_t, end=Py_ssize_t)
    cdef Py_ssize_t _take_frame(self, const unsigned char *data, Py_ssize_t start, Py_ssize_t size) except -1
