"""The kind `knowledge`: the documents that an assistant searches."""
