from lineman.base cimport unknown_names
from lineman.net.connection.incoming cimport Incoming
from lineman.net.stream.stream cimport Stream
from lineman.protocols.interface cimport Session

cdef class Connection(Incoming):
    pass
