"""Documents from crawls: WARC and WET files and folders of text, read, extracted, identified."""
