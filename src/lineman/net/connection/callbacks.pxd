cdef class Callbacks:
    cdef public object on_worker_start
    cdef public object on_worker_stop
    cdef public object on_worker_reload
    cdef public object on_worker_exit
    cdef public object on_websocket_connect
    cdef public object on_connect
    cdef public object on_message
    cdef public object on_close
    cdef public object on_error
    cdef public object on_buffer_full
    cdef public object on_buffer_drain
    cdef public object on_request
    cdef public bint takes_event_streams
    cdef public object app
    cdef public object pipes
    cdef public object ended
