"""The rules of the checker, each a function of a story and the record that comes next."""
