# The functions of buffers.py as C has them: a `Memory` is a pointer there.

cdef extern from "lineman/base/buffers.h":
    ctypedef struct Payload "lineman_payload":
        const unsigned char *data
        Py_ssize_t size
        bint is_text

    Payload payload_of "lineman_payload_of"(object message) noexcept
    unsigned char *room_of "lineman_room"(bytearray room) noexcept
    unsigned char *room_from "lineman_room_from"(unsigned char *room, Py_ssize_t start) noexcept
    const unsigned char *data_of "lineman_data"(bytes data) noexcept
    const unsigned char *beyond "lineman_beyond"(const unsigned char *data, Py_ssize_t start) noexcept
    void copy "lineman_copy"(unsigned char *to, Py_ssize_t at, const unsigned char *data, Py_ssize_t start, Py_ssize_t size) noexcept
    int append "lineman_append"(bytearray to, const unsigned char *data, Py_ssize_t start, Py_ssize_t size) except -1
    Py_ssize_t find "lineman_find"(const unsigned char *data, Py_ssize_t start, Py_ssize_t stop, int byte) noexcept
    object text_of "lineman_text_at"(const unsigned char *data, Py_ssize_t start, Py_ssize_t size)
    bytes bytes_of "lineman_bytes_at"(const unsigned char *data, Py_ssize_t start, Py_ssize_t size)
    Py_ssize_t number_of "lineman_number"(const unsigned char *data, Py_ssize_t start) noexcept
    void put_number "lineman_put_number"(unsigned char *room, Py_ssize_t number) noexcept
    bytes new_store "lineman_store_new"(Py_ssize_t size)
    unsigned char *store_room "lineman_store_room"(bytes store) noexcept
    void fill_store "lineman_store_fill"(bytes to, bytes source, Py_ssize_t size) noexcept
    bytes take_store "lineman_store_take"(bytes store, Py_ssize_t size)
    object view "lineman_view"(const unsigned char *data, Py_ssize_t start, Py_ssize_t size)

cdef inline bytes taken(const unsigned char[::1] data, Py_ssize_t size):
    return (<const unsigned char *>&data[0])[:size]

cdef inline const unsigned char *part(const unsigned char[::1] data, Py_ssize_t start) except NULL:
    return &data[start]

# NULL where there are none.
cdef inline const unsigned char *start_of(const unsigned char[::1] data) noexcept:
    return &data[0] if data.shape[0] else NULL
