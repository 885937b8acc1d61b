# The bytes of a text without an object for them.

cdef extern from *:
    """
    /* The text as UTF-8 without a copy where it is ASCII; NULL, and no error, where it has none. */
    static inline const char *lineman_utf8(PyObject *text, Py_ssize_t *size)
    {
        const char *data = PyUnicode_AsUTF8AndSize(text, size);
        if (data == NULL) PyErr_Clear();
        return data;
    }
    """
    const char *lineman_utf8(object text, Py_ssize_t *size)
