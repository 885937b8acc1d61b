cpdef words(int code)
cpdef bint is_sendable(int code)
cpdef bytes encode(int code, reason)
cpdef tuple decode(bytes payload)
