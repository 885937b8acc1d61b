# A code is any number here: what two bytes cannot hold is refused like others that may not be sent.

cpdef words(code)
cpdef bint is_sendable(code)
cpdef bytes encode(code, reason)
cpdef tuple decode(bytes payload)
