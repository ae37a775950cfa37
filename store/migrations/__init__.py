"""The schema, version by version; run by `store.connection`, without an .ini file."""
