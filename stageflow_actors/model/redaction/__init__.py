"""What is told of runs without secrets, and without what was said in them.

Nothing here is used while a stage ends well and says nothing: it is imported where a stage fails,
emits an event or says why it stops.
"""
