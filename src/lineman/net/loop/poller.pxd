cimport cython

from lineman.base cimport buffers
from lineman.net.loop cimport epoll, syscalls
from lineman.net.loop.turn cimport Turn
from lineman.net.loop.wheel cimport Timed, Wheel

cdef int BATCH

cdef class Handler(Timed):
    cpdef on_events(self, int events)
    cpdef on_turn(self)
    cpdef on_fault(self)
    cpdef flush(self)

@cython.final
cdef class Poller:
    cdef object _owned_epoll
    cdef int _epoll
    cdef bytearray _batch
    cdef int _next
    cdef int _count
    cdef list _queue
    cdef Py_ssize_t _queue_begin
    cdef bint _is_due
    cdef readonly Py_ssize_t kept
    cdef list _handlers
    cdef list _corked
    cdef list _closing
    cdef object _defer
    cdef readonly bint is_in_turn
    cdef bint _is_closed
    cdef bint _flush_is_due
    cdef object _log
    cdef readonly object buffer
    cdef unsigned char[::1] _view
    cdef readonly Wheel wheel
    cdef readonly Turn turn
    cdef readonly Py_ssize_t read_size
    # The cork: what the connection being served, which is the one of `cork_fd`, has written so far.
    cdef int cork_fd
    cdef Py_ssize_t cork_size
    cdef bytearray _cork_bytes
    cdef unsigned char *cork_room

    @cython.locals(missing=Py_ssize_t)
    cpdef add(self, int fd, Handler handler, int events=*)
    cpdef close_descriptor(self, int fd)
    cpdef cork(self, int fd)
    cpdef put_off(self, int fd)
    cpdef note_kept(self, Py_ssize_t size)
    cdef _plan(self)
    cpdef dispatch(self)
    cdef _note_progress(self)
    cdef bint _has_ready(self) except -1
    @cython.locals(index=int)
    cdef _serve_ready(self)
    @cython.locals(begin=Py_ssize_t, end=Py_ssize_t, fd=int, queue=list)
    cdef _serve_queue(self)
    cdef bint _has_queue(self) except -1
    @cython.locals(closing=list, fd=int)
    cdef _end_turn(self)
    @cython.locals(handler=Handler)
    cdef _serve(self, int fd, int events)
    cdef _drop(self, Handler handler, error)
    @cython.locals(handler=Handler, corked=list, fd=int)
    cpdef _flush(self)
