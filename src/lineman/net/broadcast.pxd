cimport cython

from lineman.net.connection cimport Connection

@cython.locals(frame=bytes, taken=Py_ssize_t, connection=Connection)
cpdef broadcast(message, to)
