cimport cython

from lineman.net.connection.connection cimport Connection

@cython.locals(shared=bytes, encoded=dict, taken=Py_ssize_t, everyone=list, connection=Connection)
cpdef broadcast(message, to, key=*)
cpdef list receivers(to)
