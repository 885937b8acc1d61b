cimport cython

from lineman.base cimport buffers
from lineman.protocols.websocket cimport frames
from lineman.protocols.websocket.assembly cimport Assembly
from lineman.protocols.websocket.close cimport decode

ctypedef const unsigned char *p_bytes

# As C numbers: compared as Python's, each would be made into an object for every frame.
cdef int BINARY, CLOSE, CONTINUATION, FIN, MASKED, MAX_CONTROL_PAYLOAD, PING, PONG, RSV, RSV1, TEXT
cdef int _FRAMES

cdef class Decoder:
    cdef long long _max_size
    cdef bint _expects_mask
    cdef bytes _head
    cdef object _inflater
    cdef bint _is_compressed
    cdef bint _is_inflating
    cdef int _opcode
    cdef bint _fin
    cdef unsigned int _mask
    cdef long long _remaining
    cdef int _kind
    cdef Assembly _message
    cdef bytes _tail
    cdef bytearray _control
    cdef Py_ssize_t _position
    cdef bint _is_open

    @cython.locals(events=list)
    cpdef list feed(self, const unsigned char[::1] data)
    cpdef next(self, const unsigned char[::1] data)
    cpdef Py_ssize_t held(self)
    cpdef bint has_taken(self, const unsigned char[::1] data) except -1
    cpdef bytes rest(self, const unsigned char[::1] data)
    cdef _end(self)
    @cython.locals(frame=p_bytes, sizes=frames.Sizes, mask=cython.uint, text=str, clear=bytes)
    cdef take_whole(self, const unsigned char *data, Py_ssize_t size)
    @cython.locals(start=Py_ssize_t, size=Py_ssize_t, count=int)
    cdef _parse(self, const unsigned char[::1] data)
    @cython.locals(kept=Py_ssize_t, length=Py_ssize_t, head=bytes)
    cdef Py_ssize_t _read_header(self, const unsigned char[::1] data, Py_ssize_t position) except -1
    @cython.locals(first=int, second=int, opcode=int, available=Py_ssize_t, length=Py_ssize_t, payload=longlong)
    cdef Py_ssize_t _check_header(self, const unsigned char[::1] head, Py_ssize_t start) except -1
    cdef _check_opcode(self, int first, int opcode)
    @cython.locals(payload=longlong, position=Py_ssize_t)
    cdef long long _extended_length(self, const unsigned char[::1] head, Py_ssize_t start, Py_ssize_t stop) except -1
    cdef _check_size(self, long long payload)
    @cython.locals(size=Py_ssize_t, by=int)
    cdef _take_part(self, const unsigned char[::1] data, Py_ssize_t start, Py_ssize_t stop)
    @cython.locals(opcode=int, clear=bytes, payload=bytes)
    cdef _take_end(self, const unsigned char[::1] data, Py_ssize_t start, Py_ssize_t stop)
    cdef _take_control(self, int opcode, bytes payload)
    cdef bytes _unmask(self, const unsigned char[::1] data, Py_ssize_t start, Py_ssize_t stop)
    cdef _append(self, const unsigned char[::1] data, Py_ssize_t start, Py_ssize_t stop)
    @cython.locals(clear=bytes)
    cdef _inflate_on(self)
    cdef _end_frame(self)
    cdef _check_text(self, bytes clear)
    @cython.locals(payload=bytes)
    cdef _finish_message(self)

cdef _text(bytes payload)
