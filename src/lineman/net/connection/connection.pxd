from lineman.base cimport unknown_names
from lineman.net.connection.own_settings cimport OwnSettings
from lineman.net.stream.stream cimport Stream
from lineman.protocols.interface cimport Session

cdef class Connection(OwnSettings):
    pass
