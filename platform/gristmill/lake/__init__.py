"""Tables at rest: content-addressed files in a folder or an object store, published atomically.

tables/<table>/<content hash>.parquet      a table, named by what it holds
files/<name>/<content hash>/…              a file or folder (models, tokenizers, logs)
heads/<namespace>/<asset>/<partition>.json what a partition is now: versions, inputs, files
index/<asset>/<key>.json                   what code version + inputs made before: a reverted change comes back at once
crawls/<crawl>.json                        registered sources
vectors/                                   LanceDB
"""
