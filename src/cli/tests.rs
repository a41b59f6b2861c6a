//! Commands from their words to their words, on a store in a folder of their own.
