# The function of acceptkey.py as C has it.

cdef extern from "lineman/protocols/websocket/acceptkey.h":
    bytes accept_to "lineman_accept_key"(bytes key)
