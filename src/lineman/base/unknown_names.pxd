# The function of unknown.py as compiled classes need it.

cdef extern from "Python.h":
    int PyObject_GenericSetAttr(object thing, object name, object value) except -1

cdef inline int set_or_refuse(thing, name, value) except -1:
    try:
        return PyObject_GenericSetAttr(thing, name, value)
    except AttributeError as error:
        from lineman.base.unknown_names import refuse_to_set
        refuse_to_set(thing, name, error)
