"""A module per group of pages, named as the commands are; each page is a function from a question
to what it shows.
"""
