from lineman.net.connection.lifecycle cimport Lifecycle
from lineman.net.stream.stream cimport Stream
from lineman.protocols.interface cimport Session

from lineman.base cimport buffers

cimport cython

ctypedef unsigned char *p_uchar

cdef int ROOM

cdef class Sender(Lifecycle):
    @cython.locals(stream=Stream, session=Session, room=p_uchar, count=Py_ssize_t)
    cpdef send(self, message, key=*)
    cdef bint _write_pieces(self, tuple pieces) except -1
    cdef tuple _place_of(self, key)
    @cython.locals(stream=Stream, session=Session, room=p_uchar, count=Py_ssize_t)
    cdef bint send_memory(self, bint is_text, const unsigned char *data, Py_ssize_t start, Py_ssize_t size) except -1
    cpdef share_key(self)
    cpdef bint send_encoded(self, bytes encoded, key) except? -1
    cdef bint _has_written(self) except -1
    cdef bint borrow_cork(self) except -1
    cdef return_cork(self)
    cdef _refuse_plain(self)
    cdef bint _may_send(self) except? -1
    cdef bint _hold(self, entry, tuple place) except? -1
    cdef _note_given_up(self, int count, what)
    cdef _answer(self, event)
    cdef _close_slow_reader(self)
    @cython.locals(again=double, soon=double)
    cdef double _check_alive(self, double now) except? -2
    cdef tuple _ask_tcp(self, double now)
