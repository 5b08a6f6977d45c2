"""Images in: which digits are there, how are they corrupted, and which of them is a batch?"""
