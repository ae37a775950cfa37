"""How the site is made of `docs/`, and what is asked of its pages.

hooks                 mkdocs calls it: what is generated goes where a page asks for it
yaml_reference        the keys of YAML files, from their JSON schemas
command_reference     the commands, from their `--help`
python_reference      what `simworld` exports, from its source, which is read and not imported
table_reference       tables and views, from the codebook
pages, readability    a page's parts; words a sentence and the longest paragraph
links, shell_blocks   what pages refer to; what they say to type
"""
