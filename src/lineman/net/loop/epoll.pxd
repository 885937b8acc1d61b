# The functions of epoll.py as C has them: an epoll is a descriptor, a batch C's own array.

cdef extern from "lineman/net/loop/epoll.h":
    int add "lineman_epoll_add"(int epoll, int fd, int events) except -1
    int modify "lineman_epoll_modify"(int epoll, int fd, int events) except -1
    int remove "lineman_epoll_remove"(int epoll, int fd) except -1
    bytearray new_batch "lineman_batch_new"(int size)
    int poll "lineman_epoll_poll"(int epoll, bytearray batch, int size) noexcept
    int fd_of "lineman_batch_fd"(bytearray batch, int index) noexcept
    int events_of "lineman_batch_events"(bytearray batch, int index) noexcept

cdef inline int handle(epoll) except -1:
    return epoll.fileno()
