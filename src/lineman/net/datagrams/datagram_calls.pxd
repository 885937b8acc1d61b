# The functions of datagram_calls.py as C has them.

cdef extern from "lineman/net/datagrams/datagram_calls.h":
    object new_batch "lineman_datagrams_new"()
    int receive "lineman_datagrams_receive"(int fd, batch, int most) except -1
    bint is_cut "lineman_datagram_is_cut"(batch, int index) noexcept
    bytes data_of "lineman_datagram_data"(batch, int index)
    object sender_of "lineman_datagram_sender"(batch, int index)
    int send "lineman_datagram_send"(int fd, sender, bytes data) except -1
    object address_of "lineman_datagram_address"(sender)
