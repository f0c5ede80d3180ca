"""Mutation tests of pure modules: `make mutants` changes them line by line and looks whether the tables notice."""
