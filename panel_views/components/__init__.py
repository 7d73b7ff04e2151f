"""The components of a view: what there is (`kinds`), and one file each that draws it."""
