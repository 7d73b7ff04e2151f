"""The project that `worklets up --demo` serves."""
