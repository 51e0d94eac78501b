"""Whether the whole record of a project still holds, link by link, for every table cell.

`geomag.evaluate.trace` follows a cell to what it rests on; here each of those links is compared
with the bytes, the code, the runs and the champion that there are now.
"""
