# The functions of datagram_calls.py as C has them.

cdef extern from "lineman/net/datagrams/datagram_calls.h":
    object new_batch "lineman_datagrams_new"()
    int receive "lineman_datagrams_receive"(int fd, batch, int most) except -1
    bint is_cut "lineman_datagram_is_cut"(batch, int index) noexcept
    bytes data_of "lineman_datagram_data"(batch, int index)
    bytes sender_of "lineman_datagram_sender"(batch, int index)
    bytes sender_at "lineman_sender_at"(bytes ip, int port, unsigned int scope)
    int send "lineman_datagram_send"(int fd, bytes sender, bytes data) except -1
    tuple address_of "lineman_datagram_address"(bytes sender)
    str local_ip_of "lineman_datagram_local"(bytes sender)
