cimport cython

from lineman.base cimport buffers
from lineman.protocols.interface cimport Session
from lineman.protocols.websocket cimport frames
from lineman.protocols.websocket.close cimport encode
from lineman.protocols.websocket.decoder cimport Decoder

# As C numbers.
cdef int _FIRST_OF_BINARY, _FIRST_OF_TEXT, _MASKED, _MAX_HEADER
cdef Py_ssize_t _LARGE

cdef class WebsocketSession(Session):
    cdef readonly object agreement
    cdef object _limits
    cdef object _compressor
    cdef object _masks
    cdef Decoder _decoder
    cdef double _asked_at
    cdef bint _has_said
    cdef bint _has_heard

    cdef _begin(self, limits, agreement, options, masks)
    @cython.locals(decoder=Decoder, size=Py_ssize_t)
    cpdef use_limits(self, limits)
    cpdef next(self, const unsigned char[::1] data)
    cdef Decoder _new_decoder(self)
    cpdef list feed(self, const unsigned char[::1] data)
    @cython.locals(payload=buffers.Payload, first=int)
    cdef Py_ssize_t encode_into(self, message, unsigned char *room, Py_ssize_t size) except -2
    cdef Py_ssize_t encode_memory(self, bint is_text, const unsigned char *data, Py_ssize_t count, unsigned char *room, Py_ssize_t size) except -2
    cdef Py_ssize_t _put(self, int first, const unsigned char *payload, Py_ssize_t count, unsigned char *room, Py_ssize_t size) except -2
    @cython.locals(head=Py_ssize_t, mask=bytes, word=cython.uint)
    cdef Py_ssize_t _frame(self, int first, const unsigned char *payload, Py_ssize_t count, unsigned char *room) except -2
    cpdef tuple pieces(self, message)
    @cython.locals(data=bytes, size=Py_ssize_t)
    cpdef bytes encode(self, message)
    cpdef bytes frame(self, int first, bytes payload)
    @cython.locals(data=bytes, count=Py_ssize_t, size=Py_ssize_t)
    cdef bytes _whole(self, int first, bytes payload)
    cpdef share_key(self)
    cpdef waiting(self, message)
    cpdef bytes leaving(self, entry)
    cdef _check_order(self)
    cdef tuple _shrunk(self, int first, bytes payload)
    cpdef bytes ping(self, bytes payload=*)
    cpdef closing(self, int code, reason, double now)
    cdef bytes _say_close(self, bytes payload, double now)
    cpdef answer_to(self, event, double now)
    cpdef tuple on_time(self, double now, double last_received, bint is_reading=*)

cpdef tuple to_frame(message)
cpdef plain(message)
