"""Action units as people code them: exports of ELAN, Datavyu and BORIS, and plain tables with one row per frame.

Coding programs write *intervals* in time; what comes out here is one common value, `CodedIntervals` or `CodedFrames`,
and `occurrence` turns intervals into frames. An interval is half-open, [onset, offset): a frame that is shown at the
offset no longer belongs to it. A name is taken for an action unit only if it says so (``AU12``, ``Lip corner puller``),
or if the caller maps it.
"""
