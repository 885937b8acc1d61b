"""A worker at run time: started, looked into, replaced, ended."""
