cimport cython

from lineman.net.syscalls cimport epoll_event, epoll_wait
from lineman.net.wheel cimport Timed, Wheel

cdef enum:
    EVENTS = 512  # as BATCH
    ROOM = 65536  # as CORK_SIZE

cdef int BATCH

cdef class Handler(Timed):
    cpdef on_events(self, int events)
    cpdef on_fault(self)
    cpdef flush(self)

cdef class Poller:
    cdef object _epoll
    cdef int _epoll_fd
    cdef epoll_event _events[EVENTS]
    cdef list _handlers
    cdef list _corked
    cdef list _closing
    cdef object _defer
    cdef bint _in_batch
    cdef bint _flush_is_due
    cdef readonly object buffer
    cdef unsigned char[::1] _view
    cdef readonly Wheel wheel
    # The cork: what `cork_owner`, the connection being served, has written so far.
    cdef Handler cork_owner
    cdef Py_ssize_t cork_size
    cdef unsigned char cork_room[ROOM]
    cdef unsigned char frame_head[16]

    cpdef close_descriptor(self, int fd)
    cpdef cork(self, Handler handler)
    @cython.locals(count=int, index=int, closing=list)
    cpdef dispatch(self)
    @cython.locals(handler=Handler)
    cdef _serve(self, int fd, int events)
    @cython.locals(handler=Handler, corked=list)
    cpdef _flush(self)
