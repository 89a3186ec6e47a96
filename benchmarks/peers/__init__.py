"""What does the same job cost in other engines? Built from the registries, outside beckon and its dependencies."""
