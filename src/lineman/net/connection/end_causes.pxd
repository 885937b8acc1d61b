cpdef close_cause(int code, reason, bint is_ours, bint is_broken_rule)
cpdef failure_cause(reason, bint was_answered)
