from lineman.protocols.websocket cimport acceptkey

cdef bytes _accept(key)
cpdef response(key, subprotocol=*, headers=*, extensions=*)
