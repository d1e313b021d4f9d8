-- Keys are looked up all over the table: what does not fit here goes to disk and back. Taken only as it is needed.
SET temp_buffers = '128MB'
