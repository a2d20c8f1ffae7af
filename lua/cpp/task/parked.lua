-- What a task yields once something is registered that will wake it.
return {}
