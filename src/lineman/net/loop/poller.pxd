cimport cython
from cpython.bytearray cimport PyByteArray_AS_STRING

from lineman.net.loop.syscalls cimport add_to_epoll, close_fd, epoll_event, epoll_wait
from lineman.net.loop.turn cimport Turn
from lineman.net.loop.wheel cimport Timed, Wheel

ctypedef epoll_event *p_epoll_event
ctypedef unsigned char *p_uchar

cdef int BATCH, _ALONE

cdef class Handler(Timed):
    cpdef on_events(self, int events)
    cpdef on_turn(self)
    cpdef on_fault(self)
    cpdef flush(self)

@cython.final
cdef class Poller:
    cdef object _epoll
    cdef int _epoll_fd
    cdef bytearray _events_room
    cdef epoll_event *_events
    cdef int _next
    cdef int _count
    cdef list _ready
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
    cdef object _loop
    cdef set _alone
    cdef int _alone_fd
    cdef int _alone_count
    cdef set _unusual
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
    cdef unsigned char frame_head[16]

    @cython.locals(missing=Py_ssize_t)
    cpdef add(self, int fd, Handler handler, int events=*)
    cpdef close_descriptor(self, int fd)
    cpdef cork(self, int fd)
    cpdef put_off(self, int fd)
    cpdef note_kept(self, Py_ssize_t size)
    cdef _watch(self, int fd, int events)
    cdef _plan(self)
    cpdef dispatch(self)
    cdef _note_progress(self)
    cdef bint _has_ready(self) except -1
    @cython.locals(index=int)
    cdef _serve_ready(self)
    @cython.locals(count=int, fd=int)
    cdef _ask_kernel(self)
    @cython.locals(begin=Py_ssize_t, end=Py_ssize_t, fd=int, queue=list)
    cdef _serve_queue(self)
    cdef bint _has_queue(self) except -1
    @cython.locals(closing=list, fd=int)
    cdef _end_turn(self)
    cdef _count_alone(self, int fd)
    cdef _leave_loop(self, int fd)
    cpdef _serve_alone(self, int fd)
    @cython.locals(handler=Handler)
    cdef _serve(self, int fd, int events)
    @cython.locals(handler=Handler)
    cdef _serve_put_off(self, int fd)
    cdef _begin_share(self, int fd)
    cdef _drop(self, Handler handler, error)
    @cython.locals(handler=Handler, corked=list, fd=int)
    cpdef _flush(self)
