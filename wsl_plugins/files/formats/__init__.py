"""File formats: a module for each, with its reader, its writer and what it allows."""
