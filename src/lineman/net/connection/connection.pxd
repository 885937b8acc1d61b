from lineman.base cimport unknown_names
from lineman.net.connection.piping cimport Piping
from lineman.net.stream.stream cimport Stream
from lineman.protocols.interface cimport Session

cdef class Connection(Piping):
    pass
