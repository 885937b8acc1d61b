from lineman.net.connection.context cimport ConnectionContext

cdef class Service(ConnectionContext):
    pass
