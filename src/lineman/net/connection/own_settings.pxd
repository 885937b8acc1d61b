from lineman.net.connection.incoming cimport Incoming

cdef class OwnSettings(Incoming):
    cdef _set_callback(self, name, function)
    cdef _set_limit(self, name, value)
